import { useMemo } from 'react';
import { useSchema } from '../../../api/hooks';
import { Icon, type IconName } from '../../../ui/icons';
import { propertyName } from '../shape/names';
import type { Breakdown } from '../state/types';
import { propertyChoices } from './choices';
import { Picker } from './Picker';

interface Props {
  project: string;
  label: string;
  value: Breakdown | null;
  onChange: (property: Breakdown) => void;
  events?: string[];
  numbersOnly?: boolean;
  eventOnly?: boolean;
  add?: string;
  icon?: IconName;
}

export function PropertyPicker(props: Props) {
  const { project, label, value, onChange, events, numbersOnly, eventOnly, add, icon } = props;
  const { data, isPending } = useSchema(project);
  const names = events?.join('\n');
  const choices = useMemo(
    () => propertyChoices(data, { events: names?.split('\n'), numbersOnly, eventOnly }),
    [data, names, numbersOnly, eventOnly],
  );
  return (
    <Picker
      label={label}
      value={value ? `${value.scope}.${value.property}` : null}
      choices={choices}
      onChange={(v) => {
        const dot = v.indexOf('.');
        onChange({ scope: v.slice(0, dot) as Breakdown['scope'], property: v.slice(dot + 1) });
      }}
      placeholder={add ?? 'Choose a property'}
      unknown={() => (value ? propertyName(value) : '')}
      tone={add || value ? 'quiet' : 'strong'}
      icon={icon ? <Icon name={icon} size={14} /> : undefined}
      loading={isPending}
      searchLabel="Search properties"
    />
  );
}
