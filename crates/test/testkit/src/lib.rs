//! Builders, behaviour suites, brute-force references and the architecture tests.
