import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useProject } from '../../api/hooks';
import { CopyButton } from '../../ui/CopyButton';
import { Page } from '../../ui/Page';
import { Panel } from '../../ui/Panel';
import { Loading } from '../../ui/states';
import { Files } from './Files';
import { Snippets } from './Snippets';
import classes from './SourcesPage.module.css';
import { WhoSends } from './WhoSends';

const route = getRouteApi('/p/$project/sources');

export function SourcesPage() {
  const { project } = route.useParams();
  const { sdk } = route.useSearch();
  const navigate = useNavigate();
  const found = useProject(project);
  return (
    <Page
      title="Sources"
      lead="Keep the SDK you already use and change two values: the address and the key. Nothing else in your code has to know."
    >
      <div className={classes.stack}>
        <WhoSends project={project} />
        <Files project={project} />
        <Panel title="Address and key">
          <dl className={classes.facts}>
            <Fact name="Address" value={window.location.origin} />
            <Fact
              name="Write key"
              value={found?.write_key}
              note="Public: it may only add events to this project."
            />
            <Fact name="Project id" value={found?.id} note="For the API and the command line." />
          </dl>
        </Panel>
        <Panel title="Set-up by SDK">
          {found ? (
            <Snippets
              writeKey={found.write_key}
              sdk={sdk}
              onSdk={(v) =>
                void navigate({
                  to: '/p/$project/sources',
                  params: { project },
                  search: { sdk: v },
                  replace: true,
                })
              }
            />
          ) : (
            <Loading what="Opening the project" />
          )}
        </Panel>
      </div>
    </Page>
  );
}

function Fact({ name, value, note }: { name: string; value: string | undefined; note?: string }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>
        <code>{value ?? '–'}</code>
        {value && <CopyButton value={value} label={`Copy ${name.toLowerCase()}`} variant="subtle" />}
        {note && <p>{note}</p>}
      </dd>
    </div>
  );
}
