// Where secrets lie in a home, and what a command sees there. docs/reference/jail.md has this table.

import { dockerConfig } from './docker-config-form.ts';
import { gitConfig, gitCredentials } from './git-form.ts';
import { netrc } from './netrc-form.ts';
import { npmrc } from './npmrc-form.ts';
import { settings } from './settings-form.ts';
import type { SecretForm } from './secret-form.ts';

export interface SecretPlace {
  /** Below the home. */
  readonly path: string;
  /** Of whom; for people. */
  readonly of: string;
  /** How it is read; without one, what lies over it is empty. */
  readonly form?: SecretForm;
  /** What an empty one has to hold for its readers. */
  readonly empty?: string;
}

const hidden = (of: string, ...paths: readonly string[]): SecretPlace[] =>
  paths.map((path) => ({ path, of }));
const read = (of: string, form: SecretForm, ...paths: readonly string[]): SecretPlace[] =>
  paths.map((path) => ({ path, of, form }));

/** Folders and files of nothing but secrets, or nearly. */
const onlySecrets: readonly SecretPlace[] = [
  ...hidden('ssh', '.ssh'),
  ...hidden('GnuPG', '.gnupg'),
  ...hidden('AWS', '.aws'),
  ...hidden('Azure', '.azure'),
  ...hidden('Google Cloud', '.config/gcloud', '.boto'),
  ...hidden('this program', '.config/upstreamproxy'),
  ...hidden('Oracle Cloud', '.oci'),
  ...hidden('DigitalOcean', '.config/doctl'),
  ...hidden('Fly', '.fly'),
  ...hidden('Heroku', '.local/share/heroku'),
  ...hidden('GitHub', '.config/gh', '.config/hub'),
  ...hidden('GitLab', '.config/glab-cli'),
  ...hidden('Kubernetes', '.kube'),
  ...hidden('Terraform', '.terraform.d/credentials.tfrc.json'),
  ...hidden('Vault', '.vault-token'),
  ...hidden('1Password', '.config/op', '.op'),
  ...hidden('pass', '.password-store'),
  ...hidden('keyrings of the desktop', '.local/share/keyrings', '.local/share/kwalletd'),
  ...hidden('PostgreSQL', '.pgpass'),
  ...hidden('uploads to PyPI', '.pypirc'),
  ...hidden('Poetry', '.config/pypoetry/auth.toml'),
  ...hidden('uploads of gems', '.gem/credentials', '.local/share/gem/credentials'),
  ...hidden('Hugging Face', '.cache/huggingface/token', '.cache/huggingface/stored_tokens'),
  ...hidden('Databricks', '.databrickscfg'),
  ...hidden('rclone', '.config/rclone/rclone.conf'),
  ...hidden('MinIO', '.mc/config.json'),
  { path: '.composer/auth.json', of: 'Composer', empty: '{}\n' },
  { path: '.config/composer/auth.json', of: 'Composer', empty: '{}\n' },
  { path: '.m2/settings.xml', of: 'Maven', empty: '<settings/>\n' },
  { path: '.m2/settings-security.xml', of: 'Maven', empty: '<settingsSecurity/>\n' },
  { path: '.nuget/NuGet/NuGet.Config', of: 'NuGet', empty: '<configuration/>\n' },
  { path: '.config/NuGet/NuGet.Config', of: 'NuGet', empty: '<configuration/>\n' },
];

/** Files of secrets and other settings. */
const mixed: readonly SecretPlace[] = [
  ...read('npm, pnpm, yarn 1, bun', npmrc, '.npmrc', '.config/pnpm/rc'),
  ...read('yarn', settings, '.yarnrc', '.yarnrc.yml'),
  ...read('bun', settings, '.bunfig.toml'),
  ...read('pip', settings, '.config/pip/pip.conf', '.pip/pip.conf', '.config/uv/uv.toml'),
  ...read('curl, git and others', netrc, '.netrc', '_netrc'),
  ...read('git', gitCredentials, '.git-credentials', '.config/git/credentials'),
  ...read('git', gitConfig, '.gitconfig', '.config/git/config'),
  { path: '.docker/config.json', of: 'docker', form: dockerConfig, empty: '{}\n' },
  { path: '.config/containers/auth.json', of: 'podman, skopeo, buildah', form: dockerConfig, empty: '{}\n' },
  ...read('cargo', settings, '.cargo/credentials.toml', '.cargo/credentials', '.cargo/config.toml'),
  ...read('Gradle', settings, '.gradle/gradle.properties'),
  ...read('conda', settings, '.condarc'),
  ...read('Terraform', settings, '.terraformrc'),
  ...read('s3cmd', settings, '.s3cfg'),
  ...read('MySQL, MariaDB', settings, '.my.cnf'),
];

export const secretPlaces: readonly SecretPlace[] = [...onlySecrets, ...mixed];

/** Sockets by which a service of the user's does what the command cannot, below the runtime folder of a user. */
export const runtimeSockets: readonly string[] = [
  'bus',
  'systemd',
  'gnupg',
  'keyring',
  'gcr',
  'ssh-agent.socket',
  'openssh_agent',
  'docker.sock',
  'docker',
  'podman',
  'containerd',
  'buildkit',
  'containers/auth.json',
];

/** The same of the machine. */
export const systemSockets: readonly string[] = [
  '/run/docker.sock',
  '/var/run/docker.sock',
  '/run/podman',
  '/run/containerd',
  '/run/crio',
  '/run/buildkit',
  '/run/dbus',
  '/run/systemd/private',
  '/run/snapd.socket',
];

/** Below the home. */
export const homeSockets: readonly string[] = [
  '.docker/run',
  '.docker/desktop',
  '.colima',
  '.orbstack/run',
  '.1password',
];

/** Variables that name a socket, or `unix:` and one. */
export const socketVariables: readonly string[] = [
  'SSH_AUTH_SOCK',
  'GPG_AGENT_INFO',
  'DOCKER_HOST',
  'CONTAINER_HOST',
  'DBUS_SESSION_BUS_ADDRESS',
  'DBUS_SYSTEM_BUS_ADDRESS',
];
