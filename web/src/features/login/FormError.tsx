import { Alert } from '@mantine/core';
import { ApiError } from '../../api/errors';
import { Icon } from '../../ui/icons';

/** What the server said about a form as a whole. */
export function FormError({ error }: { error: unknown }) {
  if (!error) return null;
  const hint = error instanceof ApiError ? error.hint : undefined;
  return (
    <Alert color="pen" variant="light" icon={<Icon name="warning" />} role="alert">
      {error instanceof Error ? error.message : 'That did not work.'}
      {hint && <div>{hint}</div>}
    </Alert>
  );
}
