import { Link, type LinkProps } from '@tanstack/react-router';
import { Icon, type IconName } from '../../ui/icons';
import { KINDS } from '../charts/kinds';
import classes from './Shell.module.css';

interface Props {
  project: string;
  onGo?: () => void;
}

/** The contents page of a project. */
export function Nav({ project, onGo }: Props) {
  const to = { params: { project }, onClick: onGo };
  return (
    <nav aria-label="Project" className={classes.nav}>
      <Item icon="overview" label="Overview" to="/p/$project" {...to} exact />
      <Item icon="live" label="Events" to="/p/$project/events" {...to} />
      <Item icon="persons" label="People" to="/p/$project/persons" {...to} />
      <p className={classes.group}>Analyse</p>
      {KINDS.map((k) => (
        <Item
          key={k.kind}
          icon={k.icon}
          label={k.name}
          to="/p/$project/charts/$kind"
          params={{ project, kind: k.kind }}
          onClick={onGo}
        />
      ))}
      <p className={classes.group}>Data</p>
      <Item icon="ledger" label="Ledger" to="/p/$project/ledger" {...to} />
      <Item icon="filter" label="Rules" to="/p/$project/rules" {...to} />
      <Item icon="sources" label="Sources" to="/p/$project/sources" {...to} />
      <p className={classes.group}>Instance</p>
      <Item icon="refresh" label="Operate" to="/operate" {...to} />
      <Item icon="check" label="Status page" to="/status" {...to} />
    </nav>
  );
}

interface ItemProps {
  icon: IconName;
  label: string;
  to: LinkProps['to'];
  params: Record<string, string>;
  exact?: boolean;
  onClick?: () => void;
}

function Item({ icon, label, to, params, exact = false, onClick }: ItemProps) {
  return (
    <Link
      to={to}
      params={params as never}
      search={{} as never}
      className={classes.item}
      activeOptions={{ exact, includeSearch: false }}
      onClick={onClick}
    >
      <Icon name={icon} />
      {label}
    </Link>
  );
}
