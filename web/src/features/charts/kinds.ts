import type { IconName } from '../../ui/icons';
import type { ChartKind } from './state/types';

interface KindInfo {
  kind: ChartKind;
  name: string;
  icon: IconName;
  lead: string;
}

/** The analyses, in the order of the navigation. */
export const KINDS: KindInfo[] = [
  {
    kind: 'segmentation',
    name: 'Trends',
    icon: 'trends',
    lead: 'How many people did something, how often, and how that changes over time.',
  },
  {
    kind: 'funnel',
    name: 'Funnels',
    icon: 'funnel',
    lead: 'How many people get from one step to the next, how long it takes, and where they leave.',
  },
  {
    kind: 'retention',
    name: 'Retention',
    icon: 'retention',
    lead: 'Of the people who started in a period, how many came back later.',
  },
];

export function isKind(v: string): v is ChartKind {
  return KINDS.some((k) => k.kind === v);
}

export function kindInfo(kind: ChartKind): KindInfo {
  return KINDS.find((k) => k.kind === kind) as KindInfo;
}
