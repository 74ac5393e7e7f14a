/** The verbs of the books, in the words of those who need them. */
export interface Kind {
  kind: string;
  name: string;
  what: string;
  /** Which part of the log it can be limited to. */
  scope: 'range' | 'window' | 'none';
  /** True if the range must be given. */
  needsRange?: boolean;
}

export const KINDS: Kind[] = [
  {
    kind: 'replay',
    name: 'Replay',
    what: 'Processes what was skipped. Nothing that is stored already is counted again.',
    scope: 'range',
  },
  {
    kind: 'skip',
    name: 'Skip',
    what: 'Passes by a range, so that processing goes on behind it. It stays in the log and in the books as skipped until it is replayed.',
    scope: 'range',
    needsRange: true,
  },
  {
    kind: 'reprocess',
    name: 'Reprocess',
    what: 'Decides again what was decided, with the rules of now. Only what changes is written.',
    scope: 'window',
  },
  {
    kind: 'rebuild_state',
    name: 'Rebuild state',
    what: 'Folds identities, dedup and rules anew beside the running ones, compares, and switches if they differ.',
    scope: 'none',
  },
  {
    kind: 'rebuild_segments',
    name: 'Rebuild segments',
    what: 'Looks for stored files that are missing or damaged and derives them again from the log.',
    scope: 'none',
  },
  { kind: 'backup', name: 'Backup', what: 'Backs up now, to the place in the settings.', scope: 'none' },
  {
    kind: 'rehearse',
    name: 'Rehearse a restore',
    what: 'Restores the newest backup into a scratch folder, verifies it and measures how long that takes.',
    scope: 'none',
  },
];
