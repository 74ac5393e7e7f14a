//! Rows of small files, whole and broken.

use super::*;
use serde_json::{Value, json};
use std::io::{Seek, Write};

fn stream(name: &str, content: &[u8], after: u64) -> io::Result<Vec<NumberedRow>> {
    let (kind, packing) = by_name(name).unwrap();
    let options = ReadOptions { after, digests: true };
    if Rows::needs_file(kind, packing) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        return Rows::of_file(file, kind, packing, options)?.collect();
    }
    Rows::of_stream(Box::new(io::Cursor::new(content.to_vec())), kind, packing, options)?.collect()
}

fn lines(rows: &[NumberedRow]) -> (Vec<u64>, Vec<u64>) {
    let of = |good: bool| rows.iter().filter(|r| r.row.is_ok() == good).map(|r| r.line).collect();
    (of(true), of(false))
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

#[test]
fn names_say_kind_and_packing() {
    for (name, expected) in [
        ("a/b.ndjson", Some((Kind::Ndjson, Packing::Plain))),
        ("x_2026-01-02_3#0.json.gz", Some((Kind::Ndjson, Packing::Gzip))),
        ("segment-logs/s/1/file.gz", Some((Kind::Ndjson, Packing::Gzip))),
        ("A.CSV.ZST", Some((Kind::Csv, Packing::Zstd))),
        ("a.jsonl.br", Some((Kind::Ndjson, Packing::Brotli))),
        ("a.parquet", Some((Kind::Parquet, Packing::Plain))),
        ("export.zip", Some((Kind::Ndjson, Packing::Zip))),
        ("_SUCCESS", None),
        ("readme.txt", None),
    ] {
        assert_eq!(by_name(name), expected, "{name}");
    }
}

#[test]
fn bad_lines_are_named_and_the_good_beside_them_kept() {
    let text = b"{\"a\":1}\n{oops\n\n[1]\n{\"a\":2}";
    for (name, content) in [
        ("a.ndjson", text.to_vec()),
        ("a.ndjson.gz", gzip(text)),
        ("a.ndjson.zst", zstd::encode_all(&text[..], 1).unwrap()),
    ] {
        let rows = stream(name, &content, 0).unwrap();
        assert_eq!(lines(&rows), (vec![1, 5], vec![2, 4]), "{name}");
        assert_eq!(lines(&stream(name, &content, 2).unwrap()), (vec![5], vec![4]), "{name}");
    }
}

#[test]
fn csv_records_are_numbered_by_the_line_where_they_begin() {
    let text = "\u{feff}a,b\n1,\"x\ny\"\n2\n3,4\n";
    let rows = stream("a.csv", text.as_bytes(), 0).unwrap();
    assert_eq!(lines(&rows), (vec![2, 5], vec![4]));
    assert_eq!(rows[0].row.as_ref().unwrap().fields["a"], "1");
    assert_ne!(rows[0].digest, rows[2].digest);
    assert_eq!(lines(&stream("a.csv", text.as_bytes(), 2).unwrap()), (vec![5], vec![4]));
}

#[test]
fn a_line_without_end_is_one_bad_row_and_a_quote_without_end_an_error() {
    let mut text = vec![b'x'; LINE_MAX + 10];
    text.extend_from_slice(b"\n{\"a\":1}\n");
    assert_eq!(lines(&stream("a.ndjson", &text, 0).unwrap()), (vec![2], vec![1]));
    let mut text = b"a,b\n1,\"".to_vec();
    text.resize(LINE_MAX * 2, b'\n');
    assert!(stream("a.csv", &text, 0).unwrap_err().to_string().contains("never closed"));
}

#[test]
fn a_file_that_is_cut_off_or_is_something_else_is_an_error_after_its_rows() {
    let whole = gzip("{\"a\":1}\n".repeat(20_000).as_bytes());
    let (kind, packing) = by_name("a.json.gz").unwrap();
    let cut = io::Cursor::new(whole[..whole.len() - 9].to_vec());
    let mut rows = Rows::of_stream(Box::new(cut), kind, packing, ReadOptions::default()).unwrap();
    let good = rows.by_ref().take_while(Result::is_ok).count();
    assert!(good > 0 && rows.next().is_none());
    for name in ["a.parquet", "a.zip", "a.json.gz", "a.json.zst"] {
        assert!(stream(name, b"this is something else altogether", 0).is_err(), "{name}");
    }
}

/// An archive as other programs write it: stored and deflated, a folder, and noise.
fn archive(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content, deflate) in members {
        let data = if *deflate {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(content).unwrap();
            packer.finish().unwrap()
        } else {
            content.to_vec()
        };
        let at = out.len() as u32;
        let mut middle = Vec::new();
        middle.extend_from_slice(&[20, 0, 0, 0, if *deflate { 8 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        middle.extend_from_slice(&(data.len() as u32).to_le_bytes());
        middle.extend_from_slice(&(content.len() as u32).to_le_bytes());
        middle.extend_from_slice(&(name.len() as u16).to_le_bytes());
        middle.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&middle);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&data);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&middle);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let at = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    let count = (members.len() as u16).to_le_bytes();
    out.extend([count, count].concat());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

#[test]
fn an_archive_is_its_members_one_after_the_other() {
    let packed = gzip(b"{\"a\":2}\n{\"a\":3}");
    let whole = archive(&[
        ("7/", b"", false),
        ("../../etc/passwd", b"{\"a\":1}", true),
        ("7/x.json.gz", &packed, false),
        ("__MACOSX/x", b"junk", false),
        ("7/y.json", b"{\"a\":4}\n", true),
    ]);
    let rows = stream("export.zip", &whole, 0).unwrap();
    let values: Vec<Value> = rows.iter().map(|r| r.row.as_ref().unwrap().fields["a"].clone()).collect();
    assert_eq!(values, [json!(1), json!(2), json!(3), json!(4)]);
    assert_eq!(lines(&rows).0, [1, 2, 3, 4]);
    for cut in 0..whole.len() {
        // Whatever is missing: rows or an error, no panic.
        let _ = stream("export.zip", &whole[..cut], 0);
    }
}

#[test]
fn parquet_rows_are_json() {
    use ::parquet::column::writer::ColumnWriter;
    use ::parquet::data_type::ByteArray;
    use ::parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    let schema = "message row { required binary event (UTF8); optional double n; \
                  required int64 at (TIMESTAMP(MILLIS,true)); required int64 fine (TIMESTAMP(NANOS,true)); \
                  required int32 day (DATE); }";
    let schema = std::sync::Arc::new(::parquet::schema::parser::parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(::parquet::basic::Compression::SNAPPY);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, std::sync::Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut nth = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(w) => {
                w.write_batch(&[ByteArray::from("buy"), ByteArray::from("play")], None, None).unwrap();
            }
            ColumnWriter::DoubleColumnWriter(w) => {
                w.write_batch(&[1.5], Some(&[1, 0]), None).unwrap();
            }
            ColumnWriter::Int64ColumnWriter(w) => {
                let unit = if nth == 2 { 1 } else { 1_000_000 };
                w.write_batch(&[1_767_323_045_678 * unit, 0], None, None).unwrap();
            }
            ColumnWriter::Int32ColumnWriter(w) => drop(w.write_batch(&[1, -1], None, None).unwrap()),
            _ => unreachable!(),
        }
        column.close().unwrap();
        nth += 1;
    }
    group.close().unwrap();
    let file = writer.into_inner().unwrap();
    let rows = stream("a.parquet", &file, 0).unwrap();
    assert_eq!(lines(&rows).0, [1, 2]);
    assert_eq!(
        Value::Object(rows[0].row.as_ref().unwrap().fields.clone()),
        json!({"event": "buy", "n": 1.5, "at": "2026-01-02T03:04:05.678Z", "fine": "2026-01-02T03:04:05.678Z",
               "day": "1970-01-02"})
    );
    assert_eq!(rows[1].row.as_ref().unwrap().fields["n"], Value::Null);
    assert_eq!(lines(&stream("a.parquet", &file, 1).unwrap()).0, [2]);
}
