import { useEffect, useState } from 'react';
import { ago, instant } from './format/time';

interface Props {
  at: string | null | undefined;
  zone: string;
}

/** How long ago, kept up to date, with the exact instant on hover and for machines. */
export function Ago({ at, zone }: Props) {
  const now = useNow();
  if (!at) return <span>–</span>;
  return (
    <time dateTime={at} title={`${instant(at, zone)} ${zone}`}>
      {ago(at, now)}
    </time>
  );
}

/** The current time, ticking each second while something shows it. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
