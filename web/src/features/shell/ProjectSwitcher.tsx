import { Menu, Modal, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { useProjects } from '../../api/hooks';
import { Icon } from '../../ui/icons';
import { NewProject } from './NewProject';
import classes from './Shell.module.css';

export function ProjectSwitcher({ project }: { project: string }) {
  const { data: projects = [] } = useProjects();
  const [asking, ask] = useDisclosure(false);
  const navigate = useNavigate();
  const current = projects.find((p) => p.name === project || p.id === project);
  return (
    <>
      <Menu position="bottom-start" width={216}>
        <Menu.Target>
          <UnstyledButton
            className={classes.switcher}
            aria-label={`Project ${current?.name ?? project}: switch`}
          >
            <span className={classes.initial} aria-hidden="true">
              {(current?.name ?? project).slice(0, 1).toUpperCase()}
            </span>
            <span className={classes.projectName}>{current?.name ?? project}</span>
            <Icon name="down" size={14} />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Projects</Menu.Label>
          {projects.map((p) => (
            <Menu.Item
              key={p.id}
              onClick={() => void navigate({ to: '/p/$project', params: { project: p.name } })}
              rightSection={p === current ? <Icon name="check" size={15} /> : null}
            >
              {p.name}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item leftSection={<Icon name="plus" size={15} />} onClick={ask.open}>
            New project
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asking} onClose={ask.close} title="New project" centered>
        <NewProject
          onCreated={(p) => {
            ask.close();
            void navigate({ to: '/setup', search: { project: p.name } });
          }}
        />
      </Modal>
    </>
  );
}
