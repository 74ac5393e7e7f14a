import { describe, expect, it } from 'vitest';
import { fileName, toCsv } from './csv';

describe('CSV', () => {
  it('quotes as RFC 4180 says', () => {
    expect(toCsv([['a', 'b,c', 'say "hi"', 'two\nlines', 3, null, true]])).toBe(
      'a,"b,c","say ""hi""","two\nlines",3,,true\r\n',
    );
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\r=1', ' =cmd|calc', '=HYPERLINK("http://x","y")'])(
    'keeps %j from running as a formula',
    (evil) => {
      const cell = toCsv([[evil]]).replace(/\r\n$/, '');
      expect(cell.replace(/^"/, '').startsWith("'")).toBe(true);
    },
  );

  it('leaves negative numbers numbers', () => {
    expect(toCsv([[-1.5, Number.NaN]])).toBe('-1.5,\r\n');
  });

  it('names files safely', () => {
    expect(fileName('Sign Up → Upgrade / 30d', 'csv')).toBe('sign-up-upgrade-30d.csv');
    expect(fileName('///', 'csv')).toBe('tallymark.csv');
  });
});
