//! Who may do what: one table.
//!
//! Guarantees: pure; everything not listed is refused.
//! Deliberately not here: finding out who asks (`principal`).

use super::Principal;
use tallymark_catalog::KeyKind;
use tallymark_model::ProjectId;

/// What a route does, as far as permission is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads what everybody may: API description, error pages, whether set-up is needed.
    ReadPublic,
    /// Logs in or sets the instance up; decides by itself, with limits.
    Enter,
    /// Ends the caller's session.
    LogOut,
    /// Lists projects: all, or the key's own.
    ListProjects,
    /// Creates a project.
    CreateProject,
    /// Reads a project's settings.
    ReadProject,
    /// Reads a project's events, persons, schema; runs queries.
    ReadData,
    /// Reads a project's ledger and dead letters.
    ReadBooks,
    /// Lists, creates and revokes a project's keys.
    ManageKeys,
    /// Asks what became of the events of a receipt.
    ReadReceipt,
    /// Lists, creates and revokes admin keys; reads the audit trail.
    Administer,
    /// Reads health and figures of the instance.
    ReadOperations,
    /// Changes the instance: jobs, settings, maintenance, alerts.
    Operate,
    /// Changes what a project calls things.
    ManageDefinitions,
    /// Reads and changes a project's rules.
    ManageRules,
    /// Redrives a project's dead letters.
    MendBooks,
    /// Asks that a person be forgotten, or takes it back.
    ErasePersons,
    /// Takes away everything that belongs to one person.
    ExportPerson,
    /// Deletes a project.
    DeleteProject,
    /// Brings a deleted project back.
    RestoreProject,
    /// Reads metrics; also allowed from the machine itself.
    ReadMetrics,
}

impl Action {
    /// True if the action is on one project, named in the path.
    pub fn needs_project(self) -> bool {
        use Action::*;
        matches!(
            self,
            ReadProject
                | ReadData
                | ReadBooks
                | ManageKeys
                | ManageDefinitions
                | ManageRules
                | MendBooks
                | ErasePersons
                | ExportPerson
                | DeleteProject
                | RestoreProject
        )
    }
    /// True if the project in the path is a deleted one.
    pub(crate) fn is_about_a_deleted_project(self) -> bool {
        self == Action::RestoreProject
    }
    /// True if it takes somebody who answers for the instance, although it is about one project.
    fn is_for_operators(self) -> bool {
        matches!(self, Action::DeleteProject | Action::RestoreProject)
    }
    /// True if it changes nothing, whatever the request's method.
    pub fn reads(self) -> bool {
        use Action::*;
        matches!(
            self,
            ReadPublic
                | ListProjects
                | ReadProject
                | ReadData
                | ReadBooks
                | ReadReceipt
                | ReadOperations
                | ReadMetrics
        )
    }
    /// True if nobody needs to be known.
    pub fn is_public(self) -> bool {
        matches!(self, Action::ReadPublic | Action::Enter)
    }
}

/// What the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go on.
    Allow,
    /// Say who you are first.
    Unknown,
    /// Known, and not allowed.
    Forbidden,
    /// Not allowed to know whether it exists.
    Hidden,
}

/// Decides. `project` is the one named in the path, `None` if there is no such project or the path names none.
pub(crate) fn decide(
    principal: &Principal,
    action: Action,
    project: Option<ProjectId>,
    from_this_machine: bool,
) -> Decision {
    if action.is_public() || (action == Action::ReadMetrics && from_this_machine) {
        return Decision::Allow;
    }
    match principal {
        Principal::Anonymous => Decision::Unknown,
        Principal::User { .. } => exists(action, project),
        Principal::Key(key) => match (key.kind, key.project) {
            (KeyKind::Admin, _) if action == Action::LogOut => Decision::Forbidden,
            (KeyKind::Admin, _) => exists(action, project),
            (KeyKind::Secret, Some(own)) => secret(action, own, project),
            // Who sends events holds the receipt, and may ask what became of them: counts, never content.
            (KeyKind::Write, Some(_)) if action == Action::ReadReceipt => Decision::Allow,
            _ => Decision::Forbidden,
        },
    }
}

fn exists(action: Action, project: Option<ProjectId>) -> Decision {
    if action.needs_project() && project.is_none() { Decision::Hidden } else { Decision::Allow }
}

fn secret(action: Action, own: ProjectId, project: Option<ProjectId>) -> Decision {
    match action {
        Action::ListProjects | Action::ReadReceipt => Decision::Allow,
        _ if action.is_for_operators() && project == Some(own) => Decision::Forbidden,
        _ if action.needs_project() && project == Some(own) => Decision::Allow,
        _ if action.needs_project() => Decision::Hidden,
        _ => Decision::Forbidden,
    }
}
