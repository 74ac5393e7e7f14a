import { Tabs } from '@mantine/core';
import { useMemo, useState } from 'react';
import { Code } from '../../ui/Code';
import { Partial } from '../../ui/states';
import classes from './Snippets.module.css';
import { snippets } from './snippets';
import type { Snippet } from './snippets/snippet';

interface Props {
  writeKey: string | undefined;
  /** Chosen SDK and how to change it, when the address keeps it; otherwise the component does. */
  sdk?: string;
  onSdk?: (sdk: string) => void;
}

/** A tab per vendor and in it one per SDK, ready to paste. */
export function Snippets({ writeKey, sdk, onSdk }: Props) {
  const [own, setOwn] = useState('curl');
  const all = useMemo(() => snippets(writeKey ?? 'YOUR-WRITE-KEY', window.location.origin), [writeKey]);
  const shown = all.find((s) => s.id === (sdk ?? own)) ?? all[0];
  if (!shown) return null;
  const choose = onSdk ?? setOwn;
  const vendors = [...new Set(all.map((s) => s.vendor))];
  const of = (vendor: string | null) => all.filter((s) => s.vendor === vendor);
  return (
    <Tabs
      value={shown.vendor}
      onChange={(vendor) => of(vendor)[0] && choose(of(vendor)[0]?.id ?? shown.id)}
      orientation="vertical"
      variant="pills"
      classNames={{ root: classes.tabs, list: classes.list, tab: classes.tab, tabLabel: classes.tabLabel }}
      keepMounted={false}
    >
      <Tabs.List aria-label="Vendor">
        {vendors.map((vendor) => (
          <Tabs.Tab key={vendor} value={vendor}>
            {vendor}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value={shown.vendor} className={classes.panel}>
        {!writeKey && <Partial>The write key of this project is not visible to your account.</Partial>}
        <Tabs
          value={shown.id}
          onChange={(id) => id && choose(id)}
          variant="pills"
          classNames={{ list: classes.sdks, tab: classes.tab }}
          keepMounted={false}
        >
          <Tabs.List aria-label={`${shown.vendor} SDK`}>
            {of(shown.vendor).map((s) => (
              <Tabs.Tab key={s.id} value={s.id} aria-label={`${s.vendor} ${s.name}`}>
                {s.name}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={shown.id}>
            <Steps snippet={shown} />
          </Tabs.Panel>
        </Tabs>
      </Tabs.Panel>
    </Tabs>
  );
}

function Steps({ snippet }: { snippet: Snippet }) {
  const { vendor, name, install, code, note } = snippet;
  return (
    <>
      {install && (
        <>
          <h3 className={classes.step}>Install</h3>
          <Code text={install} label={`Install ${vendor} ${name}`} />
        </>
      )}
      <h3 className={classes.step}>{title(snippet)}</h3>
      <Code text={code} label={`${vendor} ${name} example`} />
      {note && <p className={classes.note}>{note}</p>}
    </>
  );
}

function title({ install, name }: Snippet): string {
  if (install) return 'Point it at this server';
  return name === 'curl' ? 'Send an event' : 'Let it send here';
}
