// Version control.

import type { ClientCheck } from '../check.ts';

// The machine's own settings must not help.
const env = { GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };

export const sourceChecks: readonly ClientCheck[] = [
  {
    id: 'git-clone',
    client: 'git',
    version: ['git', '--version'],
    needs: ['git'],
    how: 'https_proxy; GIT_SSL_CAINFO',
    env,
    command: ['sh', '-ec', 'git clone -q @https:git@/project.git copy; cat copy/README'],
    expect: /fetched through the proxy/,
    quick: true,
  },
  {
    id: 'git-push',
    client: 'git',
    version: ['git', '--version'],
    needs: ['git'],
    how: 'as git-clone',
    env: {
      ...env,
      GIT_AUTHOR_NAME: 'Test',
      GIT_AUTHOR_EMAIL: 'test@example.com',
      GIT_COMMITTER_NAME: 'Test',
      GIT_COMMITTER_EMAIL: 'test@example.com',
    },
    command: [
      'sh',
      '-ec',
      `git clone -q @https:git@/project.git copy; cd copy; echo more > MORE; git add MORE
      git commit -q -m more; git push -q origin HEAD:refs/heads/@serial@; git ls-remote origin @serial@`,
    ],
    expect: /refs\/heads\/@serial@/,
    quick: true,
  },
  {
    id: 'pre-commit',
    client: 'pre-commit',
    version: ['pre-commit', '--version'],
    needs: ['git', 'pre-commit'],
    how: 'as git-clone',
    env: { ...env, PRE_COMMIT_HOME: '@dir@/cache' },
    files: {
      '.pre-commit-config.yaml':
        'repos:\n- repo: @https:git@/hooks.git\n  rev: v1.0.0\n  hooks:\n  - id: hello\n',
    },
    command: ['sh', '-ec', 'git init -q .; git add .; pre-commit run --all-files --verbose'],
    expect: /a hook that was fetched through the proxy/,
  },
];
