//! The environment's name, and the question that stands before everything destructive (A16).
//!
//! Guarantees: where the environment is protected nothing destructive happens without its name; a name that is
//! given and wrong always refuses, so that a script made for one environment cannot run against another.
//! Deliberately not here: typing it (the CLI, the web app).

use crate::{ApiError, ApiState, codes};
use serde_json::Value;

/// What an environment is called until somebody says otherwise.
pub(crate) const DEFAULT: &str = "development";
/// An environment of this name is protected unless somebody says otherwise.
const PROTECTED: &str = "production";
/// Key of the name among the instance's settings.
pub(crate) const NAME: &str = "environment";
/// Key of the protection.
pub(crate) const PROTECTION: &str = "protected";

/// Which environment this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Its name.
    pub name: String,
    /// Whether destructive requests must name it.
    pub protected: bool,
}

impl Environment {
    /// As the settings say now.
    pub async fn read(state: &ApiState) -> Result<Environment, ApiError> {
        let name = state.parts.catalog.setting(NAME).await?;
        let protection = state.parts.catalog.setting(PROTECTION).await?;
        Ok(Environment::of(name.as_ref(), protection.as_ref()))
    }

    fn of(name: Option<&Value>, protection: Option<&Value>) -> Environment {
        let name = name.and_then(Value::as_str).filter(|n| !n.is_empty()).unwrap_or(DEFAULT).to_owned();
        let protected = protection.and_then(Value::as_bool).unwrap_or(name == PROTECTED);
        Environment { name, protected }
    }

    /// Refuses what is not meant for this environment.
    pub fn confirm(&self, given: Option<&str>) -> Result<(), ApiError> {
        let name = &self.name;
        match given {
            Some(given) if given != name => Err(ApiError::new(
                &codes::WRONG_ENVIRONMENT,
                format!("this is the environment {name:?}, the request was meant for {given:?}"),
            )),
            None if self.protected => Err(ApiError::new(
                &codes::CONFIRM_NEEDED,
                format!("the environment {name:?} is protected, and the request does not name it"),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn production_is_protected_by_its_name() {
        let of = |n: Value, p: Option<Value>| Environment::of(Some(&n), p.as_ref());
        assert_eq!(Environment::of(None, None), Environment { name: DEFAULT.into(), protected: false });
        assert!(of(json!("production"), None).protected);
        assert!(!of(json!("production"), Some(json!(false))).protected);
        assert!(of(json!("staging"), Some(json!(true))).protected);
        assert_eq!(of(json!(7), None).name, DEFAULT);
    }

    #[test]
    fn a_wrong_name_refuses_everywhere_and_none_only_where_protected() {
        let open = Environment { name: "staging".into(), protected: false };
        let closed = Environment { protected: true, ..open.clone() };
        assert!(
            open.confirm(None).is_ok() && closed.confirm(None).is_err_and(|e| e.is(&codes::CONFIRM_NEEDED))
        );
        for environment in [&open, &closed] {
            assert!(environment.confirm(Some("staging")).is_ok());
            for wrong in ["production", "", "Staging", "staging "] {
                let refused = environment.confirm(Some(wrong));
                assert!(refused.is_err_and(|e| e.is(&codes::WRONG_ENVIRONMENT)), "{wrong:?}");
            }
        }
    }
}
