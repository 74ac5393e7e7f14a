import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

/** The ledger green as Mantine wants it; the names in tokens.css stay the source for our own styles. */
const ledger: MantineColorsTuple = [
  '#e9f6ef',
  '#d4ebdf',
  '#a8d8bf',
  '#79c49d',
  '#4fc793',
  '#2f9c6e',
  '#1a7f5a',
  '#0f6a4c',
  '#0b5a40',
  '#074a34',
];

const pen: MantineColorsTuple = [
  '#fdecee',
  '#f9d9dd',
  '#f2b2bb',
  '#ff7a8d',
  '#ec6076',
  '#d9405a',
  '#cb3049',
  '#bf2a43',
  '#a3213a',
  '#871930',
];

/** Greys with the paper's tint in place of Mantine's blue ones. */
const gray: MantineColorsTuple = [
  '#f4f7f4',
  '#e9efe9',
  '#e0e7e1',
  '#d3ddd5',
  '#c0ccc3',
  '#a3b1a8',
  '#7d8c83',
  '#43544b',
  '#2c3a33',
  '#14201a',
];

const dark: MantineColorsTuple = [
  '#e7efea',
  '#b0c0b8',
  '#8b9d94',
  '#5b6d64',
  '#3c4f46',
  '#24312b',
  '#1a2420',
  '#141c19',
  '#0d1311',
  '#0a0f0d',
];

export const theme = createTheme({
  colors: { ledger, pen, gray, dark },
  primaryColor: 'ledger',
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  black: '#14201a',
  white: '#fcfefc',
  fontFamily: 'var(--tm-font)',
  fontFamilyMonospace: 'var(--tm-mono)',
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '5px', md: '8px', lg: '12px', xl: '20px' },
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  headings: { fontFamily: 'var(--tm-font)', fontWeight: '650' },
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'sm' } },
    TextInput: { defaultProps: { size: 'sm' } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', checkIconPosition: 'right' } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: true } },
    Menu: { defaultProps: { shadow: 'md', position: 'bottom-end' } },
    Popover: { defaultProps: { shadow: 'md' } },
  },
});

/** Points Mantine's own variables at our tokens, so that its parts sit on the same paper. */
export const variables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--tm-sheet)',
    '--mantine-color-text': 'var(--tm-ink)',
    '--mantine-color-dimmed': 'var(--tm-ink-3)',
    '--mantine-color-placeholder': 'var(--tm-ink-3)',
    '--mantine-color-default': 'var(--tm-sheet)',
    '--mantine-color-default-hover': 'var(--tm-hover)',
    '--mantine-color-default-color': 'var(--tm-ink)',
    '--mantine-color-default-border': 'var(--tm-rule-strong)',
    '--mantine-color-anchor': 'var(--tm-accent-ink)',
    '--mantine-color-error': 'var(--tm-pen)',
    '--mantine-shadow-md': 'var(--tm-shadow-pop)',
  };
  return { variables: {}, light: shared, dark: shared };
};
