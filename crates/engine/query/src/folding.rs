//! How operations on properties become values: the options `user_props` and `merge_props` (chapter 1.4).
//!
//! Guarantees: the default folds by time whoever the persons were; the others follow the persons as they were in the
//! log, merge by merge. Deliberately not here: what an operation does (`property_op`), reading them (`timeline`).

use crate::property_op::apply;
use crate::timeline::{Moment, Operation};
use rustc_hash::FxHashMap;
use tallymark_identity::View;
use tallymark_model::{Millis, Seq, Value};

/// How properties of persons are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folding {
    /// `user` properties are what they were when the event was processed: operations in log order, of the person as
    /// it was then.
    pub ingest_order: bool,
    /// When persons merge, a property that the target has at that place of the log is the target's; what happened to
    /// the other one's until then does not count; if only the other one has a value, it is the other way round.
    pub target_wins: bool,
}

/// Values of one owner from these moments on.
pub(crate) type Changes = Vec<(Moment, Option<Value>)>;

/// What happens to nodes: persons as they were before any merge.
enum Step<'o> {
    Merge { at: Seq, absorbed: u32, into: u32 },
    Operation(&'o Operation),
}

impl Step<'_> {
    fn order(&self) -> (Seq, bool, u32) {
        match self {
            // An event's own operations come after what it does to persons.
            Step::Merge { at, .. } => (*at, false, 0),
            Step::Operation(o) => (place(o), true, o.index),
        }
    }
}

fn place(o: &Operation) -> Seq {
    Seq { received_at: o.moment.1, position: o.moment.2 }
}

/// Everything in log order; operations name the persons at their own place.
fn steps<'o>(view: &View, operations: &'o [Operation]) -> Vec<Step<'o>> {
    let merges = view.absorptions().into_iter();
    let mut steps: Vec<Step<'o>> =
        merges.map(|(at, absorbed, into)| Step::Merge { at, absorbed, into }).collect();
    steps.extend(operations.iter().map(Step::Operation));
    steps.sort_by_key(Step::order);
    steps
}

fn value_of(mut operations: Vec<&Operation>, operands: &[Value], by_time: bool) -> Option<Value> {
    match by_time {
        true => operations.sort_by_key(|o| (o.moment, o.index)),
        false => operations.sort_by_key(|o| (place(o), o.index)),
    }
    let mut current = None;
    operations.iter().for_each(|o| apply(&mut current, o.kind, operand(o, operands)));
    current
}

fn operand<'v>(o: &Operation, operands: &'v [Value]) -> &'v Value {
    operands.get(o.operand as usize).unwrap_or(&Value::Null)
}

/// By time, with the target of every merge winning: changes per person that is left.
pub(crate) fn target_wins(
    view: &View,
    operations: &[Operation],
    operands: &[Value],
) -> FxHashMap<u32, Changes> {
    let mut of_node: FxHashMap<u32, Vec<&Operation>> = FxHashMap::default();
    for step in steps(view, operations) {
        match step {
            Step::Operation(o) => of_node.entry(o.person).or_default().push(o),
            // In log order, so that a node has all of its operations up to here and no others.
            Step::Merge { absorbed, into, .. } => {
                let Some(theirs) = of_node.remove(&absorbed) else { continue };
                let mine = of_node.entry(into).or_default();
                match value_of(mine.clone(), operands, true) {
                    Some(_) => {}
                    None if value_of(theirs.clone(), operands, true).is_some() => *mine = theirs,
                    // Neither has a value, so nothing is in conflict.
                    None => mine.extend(theirs),
                }
            }
        }
    }
    let changes = |(node, mut operations): (u32, Vec<&Operation>)| {
        operations.sort_by_key(|o| (o.moment, o.index));
        let mut current = None;
        let mut changes = Changes::new();
        for o in operations {
            apply(&mut current, o.kind, operand(o, operands));
            changes.push((o.moment, current.clone()));
        }
        (node, changes)
    };
    of_node.into_iter().map(changes).collect()
}

/// By place in the log: changes per node, with the time of every moment left out.
pub(crate) fn at_ingest(
    view: &View,
    operations: &[Operation],
    operands: &[Value],
    folding: Folding,
) -> FxHashMap<u32, Changes> {
    #[derive(Default)]
    struct Node<'o> {
        operations: Vec<&'o Operation>,
        current: Option<Value>,
        changes: Changes,
    }
    let moment = |at: Seq| (Millis::MIN, at.received_at, at.position);
    let mut nodes: FxHashMap<u32, Node<'_>> = FxHashMap::default();
    for step in steps(view, operations) {
        match step {
            Step::Operation(o) => {
                let node = nodes.entry(o.person).or_default();
                node.operations.push(o);
                apply(&mut node.current, o.kind, operand(o, operands));
                node.changes.push((moment(place(o)), node.current.clone()));
            }
            Step::Merge { at, absorbed, into } => {
                let Some(absorbed) = nodes.get_mut(&absorbed) else { continue };
                let (theirs, value) = (std::mem::take(&mut absorbed.operations), absorbed.current.clone());
                let node = nodes.entry(into).or_default();
                if !folding.target_wins {
                    node.operations.extend(theirs);
                    node.current = value_of(node.operations.clone(), operands, false);
                } else if node.current.is_none() {
                    node.operations = theirs;
                    node.current = value;
                }
                node.changes.push((moment(at), node.current.clone()));
            }
        }
    }
    nodes.into_iter().map(|(node, state)| (node, state.changes)).collect()
}
