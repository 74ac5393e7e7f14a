//! REST resources, OpenAPI document, authentication, live tail.
