import { useMemo } from 'react';
import { useSchema } from '../../../api/hooks';
import { Icon } from '../../../ui/icons';
import { eventName } from '../shape/names';
import { eventChoices } from './choices';
import { Picker } from './Picker';

interface Props {
  project: string;
  label: string;
  value: string | null;
  onChange: (event: string) => void;
  /** Shown instead of a value: "Add step". */
  add?: string;
}

export function EventPicker({ project, label, value, onChange, add }: Props) {
  const { data, isPending } = useSchema(project);
  const choices = useMemo(() => eventChoices(data), [data]);
  return (
    <Picker
      label={label}
      value={value}
      choices={choices}
      onChange={onChange}
      placeholder={add ?? 'Choose an event'}
      unknown={eventName}
      tone={add ? 'quiet' : 'strong'}
      icon={add ? <Icon name="plus" size={15} /> : undefined}
      loading={isPending}
      searchLabel="Search events"
    />
  );
}
