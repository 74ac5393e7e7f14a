import { getRouteApi } from '@tanstack/react-router';
import { useProject } from '../../api/hooks';
import { Page } from '../../ui/Page';
import { Accounts } from './Accounts';
import { ActivePeople } from './ActivePeople';
import { Figures } from './Figures';
import classes from './overview.module.css';
import { Stream } from './Stream';
import { TopEvents } from './TopEvents';

const route = getRouteApi('/p/$project/');

export function OverviewPage() {
  const { project } = route.useParams();
  const found = useProject(project);
  return (
    <Page
      title="Overview"
      lead={found ? `Days of ${found.name} begin at midnight in ${found.timezone}.` : undefined}
    >
      <div className={classes.stack}>
        <Figures project={project} />
        <div className={classes.columns}>
          <div className={classes.stack}>
            <ActivePeople project={project} />
            <TopEvents project={project} />
          </div>
          <div className={classes.stack}>
            <Accounts project={project} />
            <Stream project={project} />
          </div>
        </div>
      </div>
    </Page>
  );
}
