//! Chapter 10 from the text: `type: "personas"`.
//!
//! The text fixes vectors, seed and rounds; what it leaves open is fixed here, so that the same input gives the
//! same clusters. Events: the most frequent first, ties by name. Actors: those with an active event, by name,
//! then by counts. z by the population's deviation, 0 where all counts are equal. Random numbers: SplitMix64 from
//! the first eight bytes of the SHA-256 of the query's canonical text. First centre: ⌊u·n⌋; next ones: the first
//! row at which the running sum of squared distances exceeds u·total. Ties: the earlier centre. Clusters: the
//! largest first, then the one with the earliest actor.

use super::check_keys;
use super::cohort;
use super::events::Prepared;
use super::values::text;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub fn run(prepared: &Prepared, query: &Value) -> Result<Value, String> {
    let keys = ["type", "range", "as_of", "segment", "count_by", "clusters", "events", "target"];
    check_keys(query, "query", &keys)?;
    let mut counts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    let mut persons: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in &prepared.events {
        let Some(actor) = seen.actor.as_deref() else { continue };
        let active = prepared.selects(seen, &json!({"event": "$active"}))?;
        if active && prepared.in_range(seen) && prepared.passes(seen, &query["segment"])? {
            *counts.entry(actor).or_default().entry(&seen.event.event).or_default() += 1;
            *totals.entry(&seen.event.event).or_default() += 1;
            persons.extend(seen.person.map(|p| (actor, p)));
        }
    }
    let mut events: Vec<&str> = totals.keys().copied().collect();
    events.sort_by(|a, b| totals[b].cmp(&totals[a]).then(a.cmp(b)));
    events.truncate(query["events"].as_u64().unwrap_or(100) as usize);
    let by_person = query["count_by"].as_str().unwrap_or("person") == "person";
    let mut actors: Vec<(String, Vec<u64>, &str)> = counts
        .iter()
        .map(|(actor, done)| {
            let name = if by_person { cohort::name(prepared, persons[actor]) } else { (*actor).to_owned() };
            (name, events.iter().map(|e| done.get(e).copied().unwrap_or(0)).collect(), *actor)
        })
        .collect();
    actors.sort();
    let mut rows: Vec<Vec<f64>> =
        actors.iter().map(|(_, row, _)| row.iter().map(|c| (1.0 + *c as f64).ln()).collect()).collect();
    for column in 0..events.len() {
        let values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
        let same = values.iter().all(|x| *x == values[0]);
        rows.iter_mut()
            .for_each(|row| row[column] = if same { 0.0 } else { (row[column] - mean) / deviation });
    }
    let digest = Sha256::digest(text(query).as_bytes());
    let seed = u64::from_be_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| digest[i]));
    let assigned = kmeans(&rows, query["clusters"].as_u64().unwrap_or(4) as usize, seed);
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    assigned.iter().enumerate().for_each(|(i, c)| clusters.entry(*c).or_default().push(i));
    let mut clusters: Vec<Vec<usize>> = clusters.into_values().collect();
    clusters.sort_by(|a, b| b.len().cmp(&a.len()).then(a[0].cmp(&b[0])));
    let target = match &query["target"] {
        Value::Null => None,
        target => Some(cohort::members(prepared, target, prepared.as_of)?),
    };
    let row = |members: &Vec<usize>| {
        let n = members.len() as f64;
        let of = |(column, event): (usize, &&str)| {
            let mean = members.iter().map(|i| actors[*i].1[column]).sum::<u64>() as f64 / n;
            let z = members.iter().map(|i| rows[*i][column]).sum::<f64>() / n;
            json!({"event": event, "mean": mean, "z": z})
        };
        let events: Vec<Value> = events.iter().enumerate().map(of).collect();
        let mut row = json!({"size": members.len(), "share": n / actors.len() as f64, "events": events});
        if let Some(target) = &target {
            let both = members.iter().filter(|i| target.contains(&persons[actors[**i].2])).count();
            row["overlap"] = json!({"actors": both, "share": both as f64 / n});
        }
        row
    };
    let clusters: Vec<Value> = clusters.iter().map(row).collect();
    Ok(json!({"as_of": prepared.as_of, "actors": actors.len(), "clusters": clusters}))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn kmeans(rows: &[Vec<f64>], clusters: usize, seed: u64) -> Vec<usize> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    };
    let mut centres = vec![rows[(random() * rows.len() as f64) as usize].clone()];
    while centres.len() < clusters.min(rows.len()) {
        let nearest = |row: &Vec<f64>| centres.iter().map(|c| distance(row, c)).fold(f64::INFINITY, f64::min);
        let distances: Vec<f64> = rows.iter().map(nearest).collect();
        let total: f64 = distances.iter().sum();
        if total <= 0.0 {
            break;
        }
        let wanted = random() * total;
        let mut sum = 0.0;
        let mut chosen = 0;
        for (i, d) in distances.iter().enumerate() {
            if *d > 0.0 {
                chosen = i;
                sum += d;
                if sum > wanted {
                    break;
                }
            }
        }
        centres.push(rows[chosen].clone());
    }
    let mut assigned = Vec::new();
    for _ in 0..100 {
        let nearest = |row: &Vec<f64>| {
            let distances: Vec<f64> = centres.iter().map(|c| distance(row, c)).collect();
            let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
            distances.iter().position(|d| *d == least).unwrap_or(0)
        };
        let next: Vec<usize> = rows.iter().map(nearest).collect();
        if next == assigned {
            break;
        }
        assigned = next;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&Vec<f64>> =
                rows.iter().zip(&assigned).filter(|(_, a)| **a == c).map(|(row, _)| row).collect();
            if !members.is_empty() {
                let mean = |column: usize| {
                    let mut sum = 0.0;
                    members.iter().for_each(|row| sum += row[column]);
                    sum / members.len() as f64
                };
                *centre = (0..centre.len()).map(mean).collect();
            }
        }
    }
    assigned
}
