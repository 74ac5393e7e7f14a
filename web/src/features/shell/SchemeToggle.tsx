import { ActionIcon, type MantineColorScheme, Tooltip, useMantineColorScheme } from '@mantine/core';
import { Icon, type IconName } from '../../ui/icons';

const next: Record<MantineColorScheme, MantineColorScheme> = { auto: 'light', light: 'dark', dark: 'auto' };
const icon: Record<MantineColorScheme, IconName> = { auto: 'auto', light: 'sun', dark: 'moon' };
const name: Record<MantineColorScheme, string> = { auto: 'as the system', light: 'light', dark: 'dark' };

/** Light, dark, or as the system has it; one button that goes round. */
export function SchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const label = `Colours: ${name[colorScheme]}. Switch to ${name[next[colorScheme]]}`;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => setColorScheme(next[colorScheme])}
      >
        <Icon name={icon[colorScheme]} />
      </ActionIcon>
    </Tooltip>
  );
}
