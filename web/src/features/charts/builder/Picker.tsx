import { Combobox, useCombobox } from '@mantine/core';
import { type ReactNode, useMemo, useState } from 'react';
import { Icon } from '../../../ui/icons';
import classes from './builder.module.css';

export interface Choice {
  value: string;
  label: string;
  /** Small print to the right. */
  note?: string;
  group?: string;
}

interface Props {
  label: string;
  value: string | null;
  choices: Choice[];
  onChange: (value: string) => void;
  placeholder: string;
  /** How to show a value that is not among the choices, such as an event that is no longer sent. */
  unknown?: (value: string) => ReactNode;
  tone?: 'strong' | 'quiet';
  loading?: boolean;
  icon?: ReactNode;
  searchLabel?: string;
}

const SHOWN_MAX = 120;

/** A button that opens a searchable list; for events and properties. */
export function Picker(props: Props) {
  const { label, value, choices, onChange, placeholder, unknown, tone = 'strong', loading, icon } = props;
  const [search, setSearch] = useState('');
  const box = useCombobox({
    onDropdownClose: () => {
      box.resetSelectedOption();
      setSearch('');
      box.focusTarget();
    },
    onDropdownOpen: () => {
      box.focusSearchInput();
      box.selectActiveOption();
    },
  });
  const found = useMemo(() => match(choices, search), [choices, search]);
  const chosen = choices.find((c) => c.value === value);
  const shown = chosen?.label ?? (value ? (unknown?.(value) ?? value) : placeholder);

  return (
    <Combobox
      store={box}
      width={320}
      position="bottom-start"
      shadow="md"
      onOptionSubmit={(v) => {
        onChange(v);
        box.closeDropdown();
      }}
    >
      <Combobox.Target targetType="button" withAriaAttributes={false}>
        <button
          type="button"
          className={tone === 'strong' ? classes.pick : classes.pickQuiet}
          data-empty={value ? undefined : true}
          aria-label={`${label}: ${typeof shown === 'string' ? shown : (value ?? placeholder)}`}
          aria-haspopup="listbox"
          aria-expanded={box.dropdownOpened}
          onClick={() => box.toggleDropdown()}
        >
          {icon}
          <span>{shown}</span>
          <Icon name="down" size={13} />
        </button>
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search
          value={search}
          onChange={(e) => setSearch(e.currentTarget.value)}
          placeholder={props.searchLabel ?? 'Search'}
          aria-label={props.searchLabel ?? 'Search'}
          leftSection={<Icon name="search" size={15} />}
        />
        <Combobox.Options mah={300} className={classes.options}>
          {box.dropdownOpened && found.length === 0 && (
            <Combobox.Empty>{loading ? 'Loading…' : 'Nothing found'}</Combobox.Empty>
          )}
          {/* A hidden list would still cost its options, and a builder has many pickers. */}
          {groups(box.dropdownOpened ? found : []).map(([group, list]) =>
            group ? (
              <Combobox.Group key={group} label={group}>
                {list.map((c) => option(c, value))}
              </Combobox.Group>
            ) : (
              list.map((c) => option(c, value))
            ),
          )}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function option(c: Choice, value: string | null) {
  return (
    <Combobox.Option key={c.value} value={c.value} active={c.value === value}>
      <span className={classes.option}>
        <span>{c.label}</span>
        {c.note && <small>{c.note}</small>}
      </span>
    </Combobox.Option>
  );
}

function match(choices: Choice[], search: string): Choice[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const all = words.length
    ? choices.filter((c) => words.every((w) => c.label.toLowerCase().includes(w)))
    : choices;
  return all.slice(0, SHOWN_MAX);
}

function groups(choices: Choice[]): [string, Choice[]][] {
  const out = new Map<string, Choice[]>();
  for (const c of choices) out.set(c.group ?? '', [...(out.get(c.group ?? '') ?? []), c]);
  return [...out];
}
