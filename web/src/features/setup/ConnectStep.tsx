import { Button, Group } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useProject } from '../../api/hooks';
import { Code } from '../../ui/Code';
import { Loading } from '../../ui/states';
import { Snippets } from '../sources/Snippets';
import { FirstEvent } from './FirstEvent';
import classes from './FirstEvent.module.css';

interface Props {
  project: string;
  /** The project's secret key, if it was made just now. */
  secret: string | null;
}

export function ConnectStep({ project, secret }: Props) {
  const found = useProject(project);
  if (!found) return <Loading what="Opening the project" />;
  return (
    <>
      <FirstEvent project={project} zone={found.timezone} />
      <Snippets writeKey={found.write_key} />
      {secret && (
        <section className={classes.secret}>
          <h2>Secret key</h2>
          <p>
            Reads and manages the project from programs. It is shown only now: put it where you keep secrets.
          </p>
          <Code text={secret} label="Secret key" wrap />
        </section>
      )}
      <Group mt="lg">
        <Button component={Link} to={`/p/${encodeURIComponent(project)}`} variant="default">
          Go to the project
        </Button>
      </Group>
    </>
  );
}
