import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Frame } from '../login/Frame';
import { ConnectStep } from './ConnectStep';
import { SetupForm } from './SetupForm';

const route = getRouteApi('/setup');

/** First run: make the account and the project, then watch the first event arrive. */
export function SetupPage() {
  const { project, code } = route.useSearch();
  const navigate = useNavigate();
  if (project) {
    return (
      <Frame
        wide
        title="Send your first event"
        lead="Keep the SDK you already use and point it here. This page notices by itself."
      >
        <ConnectStep project={project} />
      </Frame>
    );
  }
  return (
    <Frame title="Set up Tallymark" lead="This takes a minute and happens only once on this server.">
      <SetupForm
        code={code ?? ''}
        onDone={(name) =>
          void (name ? navigate({ to: '/setup', search: { project: name } }) : navigate({ to: '/' }))
        }
      />
    </Frame>
  );
}
