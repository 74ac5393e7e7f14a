//! The stretch of each actor's stream that a path through a funnel is made of.
//!
//! Guarantees: exactly the actors that the funnel's microscope shows for the step, each with its one attempt that
//! counts. Actors are met by name where they are no persons: two scans number them differently.

use crate::Error;
use crate::analyses::actors::Actors;
use crate::analyses::funnel::Stretches;
use crate::plan::Bound;
use crate::query::ThroughSpec;
use rustc_hash::FxHashMap;
use tallymark_model::Millis;
use tallymark_query::Prepared;

/// A place in a stream: time and log order.
pub(super) type Place = (Millis, Millis, u64);

/// Both ends belong to it.
pub(super) type Stretch = (Place, Place);

/// Stretches of actors.
pub(super) enum Through {
    Persons(FxHashMap<u32, Stretch>),
    Named(FxHashMap<String, Stretch>),
}

impl Through {
    /// Runs the funnel.
    pub fn find(spec: &ThroughSpec, bound: &Bound<'_>) -> Result<Through, Error> {
        let stretches = Stretches::new(&spec.funnel, bound)?;
        let (found, names) = stretches.find(spec.from, spec.to, spec.dropped)?;
        Ok(match names {
            None => Through::Persons(found),
            Some(names) => {
                let named =
                    |(actor, stretch): (u32, Stretch)| Some((names.get(actor as usize)?.clone(), stretch));
                Through::Named(found.into_iter().filter_map(named).collect())
            }
        })
    }

    /// By the numbers that the rows of `prepared` have for their actors.
    pub fn by_number(self, actors: &Actors, prepared: &Prepared<'_>) -> FxHashMap<u32, Stretch> {
        let mut named = match self {
            Through::Persons(persons) => return persons,
            Through::Named(named) => named,
        };
        let names = match actors {
            Actors::ByText(texts) => texts.texts(),
            Actors::Resolved => prepared.actor_names(),
        };
        let number = |(number, name): (usize, &String)| Some((number as u32, named.remove(name)?));
        // The first number is nobody's, whatever stands there: an actor may be called "".
        names.iter().enumerate().skip(1).filter_map(number).collect()
    }
}
