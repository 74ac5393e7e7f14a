import { useNavigate } from '@tanstack/react-router';
import { Frame } from '../login/Frame';
import { NewProject } from '../shell/NewProject';

/** Shown only when the instance has no project yet: everything else begins inside one. */
export function HomePage() {
  const navigate = useNavigate();
  return (
    <Frame title="Create your first project" lead="A project holds the events of one product.">
      <NewProject onCreated={(p) => void navigate({ to: '/setup', search: { project: p.name } })} />
    </Frame>
  );
}
