//! From text to one statement that may run.
//!
//! Guarantees: size and depth are bounded before anything is built from the text, so that no statement can use up
//! the stack; only SELECT, WITH, VALUES and EXPLAIN of these pass.
//! Deliberately not here: names of tables and columns (`rewrite`).

use crate::error::{not_allowed, too_large, unclear};
use datafusion::sql::sqlparser::ast::{DescribeAlias, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use tallymark_query::{QueryError, SQL_BYTES_MAX};

/// Operators, set operations and joins of one statement: chains of them nest one inside the other.
const OPERATORS_MAX: usize = 500;
/// How deep parentheses, brackets, CASE and subqueries may nest.
const DEPTH_MAX: usize = 40;
/// The same as the parser counts it: it descends several times for one pair of parentheses.
const PARSER_DEPTH_MAX: usize = 200;

/// A checked statement.
#[derive(Debug)]
pub(crate) struct Checked {
    /// A query.
    pub statement: Statement,
    /// Only its plan is wanted.
    pub explain: bool,
}

/// Parses and checks.
pub(crate) fn check(sql: &str) -> Result<Checked, QueryError> {
    if sql.len() > SQL_BYTES_MAX {
        let text = format!("sql: the text has {} bytes; at most {SQL_BYTES_MAX} are read", sql.len());
        return Err(too_large(text));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location();
    let tokens = tokens.map_err(|e| unclear(format!("sql: {e}")))?;
    measure(&tokens)?;
    let parser =
        Parser::new(&dialect).with_recursion_limit(PARSER_DEPTH_MAX).with_tokens_with_locations(tokens);
    let mut parser = parser;
    let mut statements = parser.parse_statements().map_err(|e| match e {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => unclear(format!("sql: {text}")),
    })?;
    match (statements.pop(), statements.is_empty()) {
        (None, _) => Err(unclear("sql: there is no statement")),
        (Some(_), false) => Err(not_allowed("sql: one statement at a time")),
        (Some(statement), true) => allowed(statement),
    }
}

fn allowed(statement: Statement) -> Result<Checked, QueryError> {
    match statement {
        Statement::Query(_) => Ok(Checked { statement, explain: false }),
        Statement::Explain {
            describe_alias,
            analyze,
            verbose,
            query_plan,
            estimate,
            statement,
            format,
            options,
        } => {
            let plain =
                !analyze && !verbose && !query_plan && !estimate && format.is_none() && options.is_none();
            if !plain || describe_alias != DescribeAlias::Explain {
                return Err(not_allowed("sql: EXPLAIN takes no options here; write EXPLAIN SELECT …"));
            }
            match *statement {
                Statement::Query(_) => Ok(Checked { statement: *statement, explain: true }),
                other => Err(refused(&other)),
            }
        }
        other => Err(refused(&other)),
    }
}

fn refused(statement: &Statement) -> QueryError {
    let text = statement.to_string();
    let verb: String = text.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    not_allowed(format!(
        "sql: {} is not allowed; only SELECT, WITH, VALUES and EXPLAIN of these are",
        verb.to_uppercase()
    ))
}

fn too_deep() -> QueryError {
    too_large("sql: expressions or subqueries are nested too deeply; flatten them, or use WITH")
}

/// Counts what would nest.
fn measure(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let (mut operators, mut depth) = (0usize, 0usize);
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) => match word.keyword {
                Keyword::CASE => depth += 1,
                Keyword::END => depth = depth.saturating_sub(1),
                keyword => operators += usize::from(chains(keyword)),
            },
            other => operators += usize::from(is_operator(other)),
        }
        // A subscript nests like an operator: a[1][1][1]….
        operators += usize::from(matches!(token.token, Token::LBracket));
        if depth > DEPTH_MAX {
            let at = token.span.start;
            return Err(too_large(format!(
                "sql: more than {DEPTH_MAX} levels of nesting at line {}, column {}; flatten them, or use WITH",
                at.line, at.column
            )));
        }
    }
    if operators > OPERATORS_MAX {
        return Err(too_large(format!(
            "sql: {operators} operators; at most {OPERATORS_MAX} are allowed: for many values write IN (…)"
        )));
    }
    Ok(())
}

fn chains(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        AND | OR
            | NOT
            | IS
            | IN
            | LIKE
            | ILIKE
            | RLIKE
            | REGEXP
            | SIMILAR
            | BETWEEN
            | UNION
            | EXCEPT
            | INTERSECT
            | MINUS
            | JOIN
            | COLLATE
            | AT
            | DIV
            | XOR
            | OVERLAPS
            | NOTNULL
            | MEMBER
            | INTERVAL
            | EXISTS
            | ANY
            | ALL
            | SOME
            | FROM
            | PRIOR
    )
}

fn is_operator(token: &Token) -> bool {
    let plain = matches!(
        token,
        Token::EOF
            | Token::Word(_)
            | Token::Number(..)
            | Token::Comma
            | Token::Whitespace(_)
            | Token::Period
            | Token::SemiColon
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::LBrace
            | Token::RBrace
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
    );
    !plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallymark_query::SqlProblem;

    fn problem(sql: &str) -> Option<(SqlProblem, String)> {
        match check(sql) {
            Ok(_) => None,
            Err(QueryError::Sql { problem, message }) => Some((problem, message)),
            Err(other) => panic!("{other}"),
        }
    }

    /// Parsing goes as deep as on the thread of a statement.
    fn deep(test: fn()) {
        std::thread::Builder::new().stack_size(64 << 20).spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn only_one_reading_statement_passes() {
        deep(statements);
    }

    fn statements() {
        for sql in [
            "SELECT 1",
            "select 1;",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "EXPLAIN SELECT 1",
            "(SELECT 1) UNION ALL (SELECT 2)",
        ] {
            assert_eq!(problem(sql), None, "{sql}");
        }
        for sql in [
            "SELECT 1; SELECT 2",
            "INSERT INTO events VALUES (1)",
            "DELETE FROM events",
            "UPDATE events SET event = 'x'",
            "DROP TABLE events",
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "COPY events TO '/tmp/x'",
            "SET datafusion.execution.batch_size = 1",
            "SHOW TABLES",
            "SHOW ALL",
            "DESCRIBE events",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN DELETE FROM events",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "BEGIN",
            "TRUNCATE events",
            "MERGE INTO events USING persons ON true WHEN MATCHED THEN DELETE",
        ] {
            let found = problem(sql);
            let refused = found.as_ref().is_some_and(|(p, _)| {
                *p == SqlProblem::NotAllowed || (*p == SqlProblem::Unclear && sql.contains("EXTERNAL"))
            });
            assert!(refused, "{sql}: {found:?}");
        }
        let (kind, message) = problem("SELECT 1 ) FROM events").unwrap();
        assert_eq!(kind, SqlProblem::Unclear);
        assert!(message.contains("Line: 1"), "{message}");
        assert_eq!(problem("").unwrap().0, SqlProblem::Unclear);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_built() {
        deep(sizes);
    }

    fn sizes() {
        let terms = |n: usize, op: &str| format!("SELECT {}", vec!["1"; n].join(op));
        let nested = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
        for sql in [
            terms(10_000, "+"),
            terms(10_000, " OR "),
            terms(3000, " UNION SELECT "),
            nested(20_000),
            nested(41),
            format!("SELECT {} 1", "NOT ".repeat(10_000)),
            format!("SELECT {}1", "- ".repeat(20_000)),
            format!("SELECT 1{}", "::int".repeat(9000)),
            format!("SELECT a{}", "[1]".repeat(9000)),
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(2000), " END".repeat(2000)),
            format!("SELECT {}1{}", "(SELECT ".repeat(5000), ")".repeat(5000)),
            format!("SELECT 1 FROM events {}", "JOIN events ON true ".repeat(3000)),
            format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX)),
            format!("SELECT 1 /*{}*/", "/*".repeat(20_000)),
        ] {
            let (kind, message) = problem(&sql).unwrap_or_else(|| panic!("{}", &sql[..60]));
            let comment = sql.contains("/*");
            assert!(kind == SqlProblem::TooLarge || comment, "{}: {message}", &sql[..60]);
        }
        assert_eq!(problem(&terms(500, "+")), None);
        assert_eq!(problem(&nested(40)), None);
    }
}
