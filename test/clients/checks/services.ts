// Protocols other than HTTP.

import type { ClientCheck } from '../check.ts';

const unknownProxy = (reason: string): ClientCheck['expected'] => ({
  environment: { outcome: 'fail', reason },
});

export const serviceChecks: readonly ClientCheck[] = [
  {
    id: 'ssh',
    client: 'ssh',
    version: ['ssh', '-V'],
    needs: ['ssh'],
    how: '~/.ssh/config (ProxyCommand), or capture',
    homeFiles: ['environment'],
    proves: 'reached',
    command: [
      'sh',
      '-c',
      // It looks into the home of the user's account, whatever HOME is.
      '[ -e "$HOME/.ssh/config" ] && set -- -F "$HOME/.ssh/config"; exec ssh "$@" -v -p @port:ssh@ -o StrictHostKeyChecking=no -o BatchMode=yes -o ConnectTimeout=20 git@@host:ssh@',
      'sh',
    ],
    expect: /Remote protocol version 2\.0, remote software version/,
  },
  {
    id: 'redis-cli',
    client: 'redis-cli',
    version: ['redis-cli', '--version'],
    needs: ['redis-cli'],
    how: 'capture',
    command: ['redis-cli', '-h', '@host:redis@', '-p', '@port:redis@', 'PING'],
    expect: /^PONG$/m,
    expected: unknownProxy('knows no proxy'),
  },
  {
    id: 'nc',
    client: 'nc (OpenBSD)',
    needs: ['nc.openbsd'],
    how: 'capture',
    command: [
      'sh',
      '-c',
      `printf '*1\\r\\n$4\\r\\nPING\\r\\n*1\\r\\n$4\\r\\nQUIT\\r\\n' | nc.openbsd -N -w 20 @host:redis@ @port:redis@`,
    ],
    expect: /^\+PONG$/m,
    expected: unknownProxy('knows no proxy without -x'),
  },
  {
    id: 'psql',
    client: 'psql',
    version: ['psql', '--version'],
    needs: ['psql'],
    how: 'capture',
    env: { PGCONNECT_TIMEOUT: '20' },
    command: [
      'psql',
      '--no-psqlrc',
      '--no-password',
      '--tuples-only',
      '--command',
      'select 1',
      'host=@host:postgres@ port=@port:postgres@ user=example dbname=example sslmode=disable gssencmode=disable',
    ],
    expect: /hello from postgres/,
    expected: unknownProxy('knows no proxy'),
  },
  {
    id: 'gpg-keyserver',
    client: 'gpg (dirmngr)',
    version: ['dirmngr', '--version'],
    needs: ['gpg', 'dirmngr'],
    how: 'capture and the system store',
    systemStore: ['capture'],
    expected: unknownProxy('resolves the name itself, also where its settings name a proxy'),
    // It stays otherwise.
    command: [
      'sh',
      '-c',
      `trap 'gpgconf --kill all' EXIT; mkdir -p -m 700 "$HOME/.gnupg"
gpg --batch --keyserver hkps://@authority:keys@ --recv-keys CC82FDA8593D2E1287638083AAF2AACA050C3D6F`,
    ],
    expect: /"hello from keys/,
  },
  {
    id: 'rsync',
    client: 'rsync',
    version: ['rsync', '--version'],
    needs: ['rsync'],
    how: 'RSYNC_PROXY',
    command: ['rsync', '--timeout=20', 'rsync://@host:rsync@:@port:rsync@/'],
    expect: /^hello\b/m,
  },
];
