/** Time zones that this browser knows; its own first choice is the one it runs in. */
export function zones(): string[] {
  const known =
    typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : ['Europe/London'];
  return ['UTC', ...known.filter((z) => z !== 'UTC')];
}

export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
