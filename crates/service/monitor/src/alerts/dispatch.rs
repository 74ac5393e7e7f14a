//! Decides what is due, and sends it.
//!
//! Guarantees: a receiver that hangs or fails delays no other channel; every attempt is on record.
//! Deliberately not here: when (`watch`).

use super::{Notice, Told, email, next_attempt, plan, webhook};
use crate::config::{AlertConfig, ChannelConfig, DAY, HOUR, Target};
use crate::outbound::{AllowList, Outbound, SendError};
use crate::store::{Delivery, WatchStore};
use crate::{Clock, MonitorError};
use std::collections::BTreeMap;
use tallymark_model::Millis;
use tokio::task::JoinSet;

/// What was resolved longer ago is not told any more.
const TOLD_AFTER_END: Millis = DAY;
const BATCH: u32 = 200;

/// Decides what is due, and sends it.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    config: AlertConfig,
    outbound: Outbound,
}

impl Dispatcher {
    /// For a configuration that was checked.
    pub fn new(config: AlertConfig) -> Result<Dispatcher, MonitorError> {
        let allow = AllowList::parse(&config.allow_networks)?;
        let outbound = Outbound::new(allow, config.timeout());
        Ok(Dispatcher { config, outbound })
    }

    /// The same with another client.
    pub fn with_outbound(self, outbound: Outbound) -> Dispatcher {
        Dispatcher { outbound, ..self }
    }

    /// Puts everything that is due by now on the list. Answers how much of it is new.
    pub async fn plan(&self, store: &WatchStore, now: Millis) -> Result<usize, MonitorError> {
        if self.config.channels.is_empty() {
            return Ok(0);
        }
        let maintenance = store.maintenance(now).await?;
        let mut new = 0;
        for incident in store.incidents_since(now - TOLD_AFTER_END).await? {
            let before = store.deliveries(&incident.id).await?;
            let told: Told = before.into_iter().map(|d| ((d.channel, d.reason), d.created_at)).collect();
            for p in plan(&incident, &told, &self.config, &maintenance, now) {
                new += usize::from(store.enqueue(&incident.id, &p.channel, &p.reason, &p.notice, now).await?);
            }
        }
        Ok(new)
    }

    /// Sends what is due, channels side by side, each in order. Answers how much arrived.
    pub async fn deliver(&self, store: &WatchStore, clock: &dyn Clock) -> Result<usize, MonitorError> {
        let mut by_channel: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in store.due(clock.now(), BATCH).await? {
            by_channel.entry(delivery.channel.clone()).or_default().push(delivery);
        }
        let mut channels = JoinSet::new();
        let now = clock.now();
        for (name, deliveries) in by_channel {
            let channel = self.config.channels.iter().find(|c| c.name == name).cloned();
            channels.spawn(send_all(self.clone(), channel, deliveries, store.clone(), now));
        }
        let mut arrived = 0;
        while let Some(done) = channels.join_next().await {
            // A panic in one channel is a failure of that channel; it is tried again.
            arrived += done.unwrap_or(Ok(0))?;
        }
        Ok(arrived)
    }

    /// Sends a test to a channel, at once and without a record.
    pub async fn test(&self, channel: &str, now: Millis) -> Result<(), SendError> {
        let found = self.config.channels.iter().find(|c| c.name == channel);
        let channel = found.ok_or_else(|| SendError::Refused(format!("there is no channel `{channel}`")))?;
        let id = format!("msg_test_{}", uuid::Uuid::now_v7().simple());
        self.send(channel, &id, &Notice::test(channel.audience, now), now).await
    }

    async fn send(
        &self,
        channel: &ChannelConfig,
        id: &str,
        notice: &Notice,
        now: Millis,
    ) -> Result<(), SendError> {
        match &channel.target {
            Target::Webhook(hook) => webhook::send_webhook(&self.outbound, hook, id, notice, now).await,
            Target::Slack(hook) => webhook::send_slack(&self.outbound, hook, notice).await,
            Target::Email(mail) => email::send(&self.outbound, mail, id, notice).await,
        }
    }
}

async fn send_all(
    dispatcher: Dispatcher,
    channel: Option<ChannelConfig>,
    deliveries: Vec<Delivery>,
    store: WatchStore,
    now: Millis,
) -> Result<usize, MonitorError> {
    let mut arrived = 0;
    for delivery in deliveries {
        let Some(channel) = &channel else {
            store.record_failure(&delivery.id, "the channel is not set up any more", None).await?;
            continue;
        };
        match dispatcher.send(channel, &delivery.id, &delivery.notice, now).await {
            Ok(()) => {
                store.record_sent(&delivery.id, now).await?;
                metrics::counter!("tallymark_alerts_sent_total", "channel" => channel.name.clone())
                    .increment(1);
                arrived += 1;
            }
            Err(error) => {
                metrics::counter!("tallymark_alerts_failed_total", "channel" => channel.name.clone())
                    .increment(1);
                tracing::warn!(channel = channel.name, %error, "an alert did not arrive");
                let give_up = (dispatcher.config.give_up_hours * HOUR as f64) as Millis;
                let next = next_attempt(delivery.created_at, delivery.attempts + 1, now, give_up);
                let next = next.filter(|_| !error.is_final());
                store.record_failure(&delivery.id, &error.to_string(), next).await?;
                // The rest would most likely fail as well; it has its turn in the next round.
                break;
            }
        }
    }
    Ok(arrived)
}
