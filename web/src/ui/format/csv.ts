/**
 * CSV that is safe to open in a spreadsheet.
 *
 * A cell that a spreadsheet would run as a formula (it starts with = + - @, a tab or a carriage return) is
 * kept as text with a leading apostrophe. Numbers that we wrote ourselves stay numbers, also negative ones.
 * Lines end with CRLF and fields are quoted as in RFC 4180.
 */
export type Cell = string | number | boolean | null | undefined;

export function toCsv(rows: Cell[][]): string {
  return rows
    .map((row) => row.map(field).join(','))
    .join('\r\n')
    .concat('\r\n');
}

function field(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : '';
  return quote(defuse(String(cell)));
}

function defuse(text: string): string {
  return /^[\s\uFEFF]*[=+\-@]|^[\t\r\n]/.test(text) ? `'${text}` : text;
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A file name without characters that some system forbids. */
export function fileName(title: string, ending: string): string {
  const safe = title
    .normalize('NFKD')
    .replace(/[^\w-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .toLowerCase();
  return `${safe.slice(0, 80) || 'tallymark'}.${ending}`;
}

/** Hands the text to the browser as a download. */
export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
  // The mark at the start makes spreadsheets read the text as UTF-8.
  const url = URL.createObjectURL(new Blob(['\uFEFF', text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
