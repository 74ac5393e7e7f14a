//! Who is who: position-tagged operations folded into persons.
