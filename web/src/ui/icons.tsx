/** Our own small icon set: 20 px grid, one stroke weight, drawn to sit beside the tally mark. */
const paths = {
  overview: 'M3 10.5 10 4l7 6.5M5 9v7h10V9',
  trends: 'M3 4v12h14M6 12l3.5-4 3 2.5L17 5',
  funnel: 'M3 5h14M5 10h10M8 15h4',
  retention: 'M3 4h4v4H3zM8 4h4v4H8zM13 4h4v4h-4zM3 9h4v4H3zM8 9h4v4H8zM3 14h4v3H3z',
  persons: 'M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM4 17c.5-3.2 2.8-5 6-5s5.5 1.8 6 5',
  live: 'M3 10h3l2-6 4 12 2-6h3',
  ledger: 'M5 3h10v14H5zM8 7h4M8 10h4M8 13h2',
  sources: 'M7 6 3 10l4 4M13 6l4 4-4 4',
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5 5 15',
  check: 'm4 10.5 4 4 8-9',
  chevron: 'm7 5 5 5-5 5',
  down: 'm5 7.5 5 5 5-5',
  up: 'm5 12.5 5-5 5 5',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  link: 'M8.5 11.5a3 3 0 0 0 4.2 0l2.8-2.8a3 3 0 0 0-4.2-4.2L10 5.8M11.5 8.5a3 3 0 0 0-4.2 0l-2.8 2.8a3 3 0 0 0 4.2 4.2L10 14.2',
  download: 'M10 3v9M6 9l4 4 4-4M4 16h12',
  table: 'M3 4h14v12H3zM3 8h14M8 8v8',
  sun: 'M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM10 2.5v1.5M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1',
  moon: 'M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5Z',
  auto: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM10 3v14M10 6h4.5M10 9h6M10 12h6M10 15h4',
  search: 'M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10ZM13 13l4 4',
  filter: 'M3 5h14l-5.5 6v5l-3-1.5V11z',
  split: 'M3 10h5M8 10c3 0 3-5 6-5h3M8 10c3 0 3 5 6 5h3',
  calendar: 'M3 5h14v12H3zM3 8.5h14M7 3v3M13 3v3',
  clock: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM10 6v4l3 2',
  warning: 'M10 3.5 17.5 16.5h-15zM10 8.5v3.5M10 14.2v.1',
  menu: 'M3 6h14M3 10h14M3 14h14',
  logout: 'M8 4H4v12h4M9 10h8M14 7l3 3-3 3',
  pause: 'M7 5v10M13 5v10',
  play: 'M6 4.5 15.5 10 6 15.5z',
  explain: 'M4 5h8M4 9h12M4 13h6M13 13l2 2 3-4',
  refresh: 'M16 8A6.5 6.5 0 1 0 16.5 11.5M16.5 4v4h-4',
  merge: 'M4 4c0 5 5 4 6 8M16 4c0 5-5 4-6 8M10 12v5',
  device: 'M4 4h12v8H4zM7 16h6',
  arrow: 'M4 10h12M12 6l4 4-4 4',
} as const;

export type IconName = keyof typeof paths;

interface Props {
  name: IconName;
  size?: number;
}

/** Decorative: the control that carries it has the label. */
export function Icon({ name, size = 18 }: Props) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.6}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}
