import classes from './ledger.module.css';

const words: [string, string][] = [
  [
    'Acknowledged',
    'The server told the sender “I have it”. From then on it is our duty to say what became of it.',
  ],
  ['Visible', 'Counted in charts, once.'],
  ['Duplicate', 'The sender repeated an event, usually after a bad connection. Only the first one counts.'],
  ['Filtered', 'A rule of this project said not to count it. The rules are on the Rules page.'],
  ['Dead', 'Nobody could make sense of it. It waits with its bytes until it is mended.'],
  ['Pending', 'On disk, and counted within seconds. Skipped records stay pending until they are replayed.'],
  [
    'Balanced',
    'Both sides are counted by different parts of the program and are the same. If they ever differ, this page says so.',
  ],
];

/** The words of this page, for those who do not keep books for a living. */
export function Reading() {
  return (
    <details className={classes.reading}>
      <summary>How to read this page</summary>
      <dl>
        {words.map(([word, meaning]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
