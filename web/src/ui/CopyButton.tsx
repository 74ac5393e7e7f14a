import { Button, type ButtonProps } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Icon, type IconName } from './icons';

interface Props extends Pick<ButtonProps, 'variant' | 'size'> {
  /** Text, or how to make it at the moment of copying. */
  value: string | (() => string);
  label?: string;
  icon?: IconName;
}

/** Copies and says so, also to a screen reader. Falls back to a selection where there is no clipboard API. */
export function CopyButton({
  value,
  label = 'Copy',
  icon = 'copy',
  variant = 'default',
  size = 'xs',
}: Props) {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  useEffect(() => {
    if (state === 'idle') return;
    const timer = setTimeout(() => setState('idle'), 1800);
    return () => clearTimeout(timer);
  }, [state]);

  const copy = async () => {
    const text = typeof value === 'function' ? value() : value;
    setState((await writeClipboard(text)) ? 'done' : 'failed');
  };
  const shown = state === 'done' ? 'Copied' : state === 'failed' ? 'Could not copy' : label;
  return (
    <Button
      variant={variant}
      size={size}
      onClick={copy}
      leftSection={<Icon name={state === 'done' ? 'check' : icon} size={15} />}
      aria-live="polite"
    >
      {shown}
    </Button>
  );
}

async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Plain http on another host than localhost has no clipboard API; a self-hosted tool meets that daily. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
  }
}
