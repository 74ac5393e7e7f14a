import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { Frame } from '../login/Frame';
import { ConnectStep } from './ConnectStep';
import { SetupForm } from './SetupForm';

const route = getRouteApi('/setup');

/** First run: make the account and the project, then watch the first event arrive. */
export function SetupPage() {
  const { project, code } = route.useSearch();
  const navigate = useNavigate();
  // Kept only while this page is open: it must not be in the address or in storage.
  const [secret, setSecret] = useState<string | null>(null);
  if (project) {
    return (
      <Frame
        wide
        title="Send your first event"
        lead="Keep the SDK you already use and point it here. This page notices by itself."
      >
        <ConnectStep project={project} secret={secret} />
      </Frame>
    );
  }
  return (
    <Frame title="Set up Tallymark" lead="This takes a minute and happens only once on this server.">
      <SetupForm
        code={code ?? ''}
        onDone={(made) => {
          setSecret(made?.secret_key ?? null);
          void (made ? navigate({ to: '/setup', search: { project: made.name } }) : navigate({ to: '/' }));
        }}
      />
    </Frame>
  );
}
