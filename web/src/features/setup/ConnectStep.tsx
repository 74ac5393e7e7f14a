import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useProject } from '../../api/hooks';
import { Loading } from '../../ui/states';
import { Snippets } from '../sources/Snippets';
import { FirstEvent } from './FirstEvent';

export function ConnectStep({ project }: { project: string }) {
  const found = useProject(project);
  if (!found) return <Loading what="Opening the project" />;
  return (
    <>
      <FirstEvent project={project} zone={found.timezone} />
      <Snippets writeKey={found.write_key} />
      <Group mt="lg">
        <Button component={Link} to={`/p/${encodeURIComponent(project)}`} variant="default">
          Go to the project
        </Button>
      </Group>
    </>
  );
}
