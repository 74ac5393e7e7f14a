/** The parts of the settings that are written as JSON, with what each is for. */
export const PARTS = [
  {
    key: 'backup',
    title: 'Backups',
    note: 'Where to and how often. A backup copies only what is new.',
    example: '{"to": "file:/backups", "every_hours": 1, "rehearse_every_hours": 24}',
  },
  {
    key: 'retention',
    title: 'Retention of the log',
    note: 'How long what is processed stays. What is not processed always stays; settings that could forget it are refused.',
    example: '{"days": 7, "archive": true}',
  },
  {
    key: 'alerts',
    title: 'Alerts',
    note: 'Channels and who is told when nobody answers. Secrets are kept unless they are typed anew.',
    example: '{"channels": [{"name": "ops", "target": {"webhook": {"url": "https://…", "keys": ["…"]}}}]}',
  },
  {
    key: 'status_page',
    title: 'Status page',
    note: 'What the public page is called and whether it shows counts.',
    example: '{"name": "Acme events", "show_counts": false}',
  },
] as const;

/** What a text says, or what is wrong with it. */
export function parsed(text: string): { value?: Record<string, unknown>; problem?: string } {
  try {
    const value: unknown = JSON.parse(text || '{}');
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      return { problem: 'An object in braces is expected' };
    }
    return { value: value as Record<string, unknown> };
  } catch {
    return { problem: 'This is not JSON' };
  }
}
