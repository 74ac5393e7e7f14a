import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Empty } from '../../ui/states';

export function NotFound() {
  return (
    <Empty
      title="There is no page at this address"
      action={
        <Button component={Link} to="/" variant="default">
          Go to the overview
        </Button>
      }
    >
      The link may be cut off, or the project may have another name now.
    </Empty>
  );
}
