import { Menu, UnstyledButton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useNavigate } from '@tanstack/react-router';
import { api } from '../../api/client';
import { useForget, useSession } from '../../api/hooks';
import { Icon } from '../../ui/icons';
import classes from './Shell.module.css';

export function UserMenu() {
  const { data: session } = useSession();
  const forget = useForget();
  const navigate = useNavigate();
  const user = session?.user;
  if (!user) return null;
  const name = user.name || user.email;

  const leave = async () => {
    try {
      await api.logout();
      await forget();
      await navigate({ to: '/login', search: {} });
    } catch (e) {
      notifications.show({
        color: 'pen',
        title: 'You are still signed in',
        message: e instanceof Error ? e.message : 'Signing out did not work.',
      });
    }
  };

  return (
    <Menu position="top-start" width={216}>
      <Menu.Target>
        <UnstyledButton className={classes.user} aria-label={`Account of ${name}`}>
          <span className={classes.avatar} aria-hidden="true">
            {name.slice(0, 1).toUpperCase()}
          </span>
          <span className={classes.userName}>{name}</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.email}</Menu.Label>
        <Menu.Item component="a" href="/api/docs" leftSection={<Icon name="sources" size={15} />}>
          API reference
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="logout" size={15} />} onClick={() => void leave()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
