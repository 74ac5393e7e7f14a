//! Incidents, what was said about them, and who is at them.
//!
//! Guarantees: an incident and what is said with its change are written together; an acknowledgement is never
//! overwritten by the watch; numbers of updates are dense within an incident.
//! Deliberately not here: when incidents open and end (`watch::reconcile`).

use super::{WatchStore, text, value};
use crate::incident::{Acknowledgement, Incident, IncidentState, IncidentUpdate};
use crate::{MonitorError, Severity};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};
use tallymark_model::Millis;

const SELECT: &str = "SELECT incident.body AS body, acknowledgement.body AS ack FROM incident
     LEFT JOIN acknowledgement ON acknowledgement.incident = incident.id";

impl WatchStore {
    /// Writes a changed incident and what is said about the change. `reopened` takes its acknowledgement away.
    pub async fn put_incident(
        &self,
        incident: &Incident,
        updates: &[IncidentUpdate],
        reopened: bool,
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        write(&mut tx, incident).await?;
        if reopened {
            let sql = "DELETE FROM acknowledgement WHERE incident = ?";
            sqlx::query(sql).bind(&incident.id).execute(&mut *tx).await?;
        }
        for update in updates {
            append(&mut tx, &incident.id, update).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Incidents that are open, or were resolved after `resolved_since`; oldest first, with their updates.
    pub async fn incidents_since(&self, resolved_since: Millis) -> Result<Vec<Incident>, MonitorError> {
        let sql = format!("{SELECT} WHERE resolved_at IS NULL OR resolved_at >= ? ORDER BY opened_at, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(resolved_since).fetch_all(&self.read).await?;
        self.with_updates(rows).await
    }

    /// The newest incidents, newest first, with their updates.
    pub async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, MonitorError> {
        let sql = format!("{SELECT} ORDER BY opened_at DESC, id DESC LIMIT ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(limit).fetch_all(&self.read).await?;
        self.with_updates(rows).await
    }

    /// One incident with its updates.
    pub async fn incident(&self, id: &str) -> Result<Option<Incident>, MonitorError> {
        let sql = format!("{SELECT} WHERE id = ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(&self.read).await?;
        Ok(self.with_updates(rows).await?.pop())
    }

    /// Somebody is at it: reminders and escalation end. The first one counts.
    pub async fn acknowledge(&self, id: &str, by: &str, note: &str, now: Millis) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        let incident = locked(&mut tx, id).await?;
        let ack = Acknowledgement { by: by.to_owned(), at: now, note: note.to_owned() };
        let done = sqlx::query("INSERT OR IGNORE INTO acknowledgement (incident, body) VALUES (?, ?)")
            .bind(id)
            .bind(text(&ack, "acknowledgement")?)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 || !incident.is_open() {
            return Ok(());
        }
        let mut said = format!("{by} is looking at it.");
        if !note.is_empty() {
            said = format!("{said} {note}");
        }
        let public = incident.is_public().then(|| "Somebody is looking at it.".to_owned());
        let state = match incident.state {
            IncidentState::Investigating => IncidentState::Identified,
            other => other,
        };
        let update =
            IncidentUpdate { seq: 0, at: now, state, text: said, public, by: by.to_owned(), alert: true };
        write(&mut tx, &Incident { state, ..incident }).await?;
        append(&mut tx, id, &update).await?;
        Ok(tx.commit().await?)
    }

    /// Says something about an incident; `public` is shown on the status page and told to its followers.
    pub async fn post_update(
        &self,
        id: &str,
        by: &str,
        said: &str,
        public: bool,
        now: Millis,
    ) -> Result<(), MonitorError> {
        let mut tx = self.begin().await?;
        let mut incident = locked(&mut tx, id).await?;
        let public = public.then(|| said.to_owned());
        if public.is_some() && !incident.is_public() {
            // Whoever writes to the public about it makes it public.
            incident.impact = crate::Impact::Minor;
            write(&mut tx, &incident).await?;
        }
        let update = IncidentUpdate {
            seq: 0,
            at: now,
            state: incident.state,
            text: said.to_owned(),
            public,
            by: by.to_owned(),
            alert: true,
        };
        append(&mut tx, id, &update).await?;
        Ok(tx.commit().await?)
    }

    /// How many incidents of at least this severity are open.
    pub async fn open_incidents(&self, at_least: Severity) -> Result<usize, MonitorError> {
        let open = self.incidents_since(Millis::MAX).await?;
        Ok(open.iter().filter(|i| i.severity >= at_least).count())
    }

    /// Removes what was resolved before.
    pub async fn prune_incidents(&self, resolved_before: Millis) -> Result<(), MonitorError> {
        sqlx::query("DELETE FROM incident WHERE resolved_at < ?")
            .bind(resolved_before)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn with_updates(&self, rows: Vec<SqliteRow>) -> Result<Vec<Incident>, MonitorError> {
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let mut incident = read(&row)?;
            let updates =
                sqlx::query("SELECT seq, body FROM incident_update WHERE incident = ? ORDER BY seq")
                    .bind(&incident.id)
                    .fetch_all(&self.read)
                    .await?;
            for row in updates {
                let update: IncidentUpdate = value(row.get("body"), "incident update")?;
                incident.updates.push(IncidentUpdate { seq: row.get("seq"), ..update });
            }
            found.push(incident);
        }
        Ok(found)
    }
}

fn read(row: &SqliteRow) -> Result<Incident, MonitorError> {
    let mut incident: Incident = value(row.get("body"), "incident")?;
    let ack: Option<&str> = row.get("ack");
    incident.acknowledged = ack.map(|a| value(a, "acknowledgement")).transpose()?;
    Ok(incident)
}

async fn locked(tx: &mut Transaction<'static, Sqlite>, id: &str) -> Result<Incident, MonitorError> {
    let sql = format!("{SELECT} WHERE id = ?");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&mut **tx).await?;
    row.as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| MonitorError::NotFound { what: "incident", id: id.to_owned() })
}

async fn write(connection: &mut SqliteConnection, incident: &Incident) -> Result<(), MonitorError> {
    sqlx::query(
        "INSERT INTO incident (id, opened_at, resolved_at, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET resolved_at = ?3, body = ?4",
    )
    .bind(&incident.id)
    .bind(incident.opened_at)
    .bind(incident.resolved_at)
    .bind(text(incident, "incident")?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn append(
    connection: &mut SqliteConnection,
    incident: &str,
    update: &IncidentUpdate,
) -> Result<(), MonitorError> {
    sqlx::query(
        "INSERT INTO incident_update (incident, seq, at, body)
         SELECT ?1, coalesce(max(seq) + 1, 0), ?2, ?3 FROM incident_update WHERE incident = ?1",
    )
    .bind(incident)
    .bind(update.at)
    .bind(text(update, "incident update")?)
    .execute(connection)
    .await?;
    Ok(())
}
