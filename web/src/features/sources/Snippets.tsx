import { Tabs } from '@mantine/core';
import { useMemo, useState } from 'react';
import { Code } from '../../ui/Code';
import { Partial } from '../../ui/states';
import classes from './Snippets.module.css';
import { snippets } from './snippets';

interface Props {
  writeKey: string | undefined;
  /** Chosen SDK and how to change it, when the address keeps it; otherwise the component does. */
  sdk?: string;
  onSdk?: (sdk: string) => void;
}

/** Tabs per SDK, ready to paste. */
export function Snippets({ writeKey, sdk, onSdk }: Props) {
  const [own, setOwn] = useState('curl');
  const all = useMemo(() => snippets(writeKey ?? 'YOUR-WRITE-KEY', window.location.origin), [writeKey]);
  const shown = all.find((s) => s.id === (sdk ?? own)) ?? all[0];
  if (!shown) return null;
  const vendors = [...new Set(all.map((s) => s.vendor))];
  return (
    <Tabs
      value={shown.id}
      onChange={(v) => v && (onSdk ?? setOwn)(v)}
      orientation="vertical"
      variant="pills"
      classNames={{ root: classes.tabs, list: classes.list, tab: classes.tab, tabLabel: classes.tabLabel }}
      keepMounted={false}
    >
      <Tabs.List aria-label="SDK">
        {vendors.map((vendor) => (
          <div key={vendor} className={classes.vendor} role="presentation">
            <span className={classes.vendorName} aria-hidden="true">
              {vendor}
            </span>
            {all
              .filter((s) => s.vendor === vendor)
              .map((s) => (
                <Tabs.Tab key={s.id} value={s.id} aria-label={`${vendor} ${s.name}`}>
                  {s.name}
                </Tabs.Tab>
              ))}
          </div>
        ))}
      </Tabs.List>
      {all.map((s) => (
        <Tabs.Panel key={s.id} value={s.id} className={classes.panel}>
          {!writeKey && <Partial>The write key of this project is not visible to your account.</Partial>}
          {s.install && (
            <>
              <h3 className={classes.step}>Install</h3>
              <Code text={s.install} label={`Install ${s.vendor} ${s.name}`} />
            </>
          )}
          <h3 className={classes.step}>{s.install ? 'Point it at this server' : 'Send an event'}</h3>
          <Code text={s.code} label={`${s.vendor} ${s.name} example`} />
          {s.note && <p className={classes.note}>{s.note}</p>}
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
