// Package managers of operating systems.

import type { ClientCheck } from '../check.ts';

/** Settings of apt that leave the machine's lists, sources and state alone. */
const aptSettings = `Dir "@dir@";
Dir::State "@dir@/state";
Dir::State::status "@dir@/status";
Dir::Cache "@dir@/cache";
Dir::Etc "@dir@/etc";
Dir::Etc::sourcelist "@dir@/sources.list";
Dir::Etc::sourceparts "-";
Dir::Log "@dir@";
Dir::Bin::methods "/usr/lib/apt/methods";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "0";
`;

function aptCheck(scheme: 'https' | 'http'): ClientCheck {
  const apt = `apt-get -o Dir=@dir@ -c @dir@/apt.conf`;
  return {
    id: `apt-${scheme}`,
    help: 'APT::Sandbox::User "", as the folders of the check are closed to its own user',
    client: `apt over ${scheme}`,
    version: ['apt-get', '--version'],
    needs: ['/usr/bin/apt-get'],
    how: scheme === 'https' ? 'https_proxy; SSL_CERT_FILE, or APT_CONFIG' : 'http_proxy, or APT_CONFIG',
    files: {
      'apt.conf': aptSettings,
      'sources.list': `deb [trusted=yes] @${scheme}:apt@/debian stable main\n`,
      status: '',
      'etc/preferences.d/none': '',
      'state/lists/partial/none': '',
      'cache/archives/partial/none': '',
    },
    command: ['sh', '-c', `${apt} update && ${apt} download example-package && ls`],
    expect: /^example-package_1\.0\S*\.deb$/m,
  };
}

export const systemPackageChecks: readonly ClientCheck[] = [
  aptCheck('https'),
  aptCheck('http'),
  {
    id: 'dnf',
    client: 'dnf',
    version: ['dnf', '--version'],
    needs: ['dnf'],
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    command: [
      'dnf',
      '--setopt=reposdir=@dir@',
      '--setopt=cachedir=@dir@/cache',
      '--setopt=logdir=@dir@',
      '--setopt=persistdir=@dir@/state',
      '--setopt=retries=1',
      '--installroot=@dir@/root',
      '--releasever=1',
      '--repofrompath=fixture,@https:rpm@/',
      '--repo=fixture',
      'repoquery',
      'example-package',
    ],
    expect: /^example-package-0:1\.0-1\.noarch$/m,
  },
  {
    id: 'pacman',
    help: 'DisableSandbox, as the folders of the check are closed to its own user',
    rootOnly: 'pacman is for root alone',
    client: 'pacman',
    version: ['pacman', '--version'],
    needs: ['pacman'],
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    files: {
      'pacman.conf': `[options]
RootDir = @dir@/root
DBPath = @dir@/db
CacheDir = @dir@/cache
GPGDir = @dir@/gnupg
LogFile = @dir@/log
Architecture = auto
SigLevel = Never
DisableSandbox
[fixture]
Server = @https:pacman@
`,
      'root/none': '',
      'db/local/ALPM_DB_VERSION': '9\n',
    },
    command: [
      'sh',
      '-c',
      'pacman --config pacman.conf --noconfirm -Sy && pacman --config pacman.conf -Si example-package',
    ],
    expect: /Name\s*: example-package/,
  },
  {
    id: 'flatpak',
    client: 'flatpak',
    version: ['flatpak', '--version'],
    needs: ['flatpak'],
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    proves: 'reached',
    command: [
      'sh',
      '-c',
      'flatpak --user remote-add --no-gpg-verify fixture @https:flatpak@/repo; flatpak --user remote-ls fixture',
    ],
    // How it says that the origin responded with 404.
    expect: /server has no summary file/,
  },
  {
    id: 'nix',
    client: 'nix',
    version: ['nix', '--version'],
    needs: ['nix'],
    how: 'https_proxy; SSL_CERT_FILE or NIX_SSL_CERT_FILE',
    command: [
      'nix',
      '--extra-experimental-features',
      'nix-command',
      '--store',
      '@dir@/store',
      '--option',
      'build-users-group',
      '',
      'store',
      'prefetch-file',
      '--name',
      'hello',
      '@https:web@/hello',
    ],
    expect: /Downloaded '\S+hello' to|hash 'sha256-/,
  },
];
