// Version control beside git's clone and push, and the command lines of forges.

import type { ClientCheck } from '../check.ts';

export const versionControlChecks: readonly ClientCheck[] = [
  {
    // As Debian's git has it; the response is read by git.
    id: 'curl-gnutls',
    client: 'libcurl with GnuTLS',
    version: ['git', '--version'],
    needs: ['git', '/usr/lib/git-core/git-remote-https'],
    how: 'https_proxy; GIT_SSL_CAINFO',
    command: ['git', 'ls-remote', '@https:git@/project.git'],
    expect: /refs\/heads\/main/,
  },
  {
    id: 'git-lfs',
    client: 'git-lfs',
    version: ['git-lfs', '--version'],
    needs: ['git', 'git-lfs'],
    how: 'https_proxy; GIT_SSL_CAINFO or SSL_CERT_FILE',
    command: [
      'sh',
      '-c',
      // The pointer names the object `hello from git` with a line feed; its batch and its download are of the origin.
      `git init -q . && git config user.name Test && git config user.email test@example.com && git lfs install --local &&
       git config lfs.url @https:git@/project.git/info/lfs &&
       printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize 15\\n' "$(printf 'hello from git\\n' | sha256sum | cut -d' ' -f1)" |
       git lfs smudge`,
    ],
    expect: /^hello from git$/m,
  },
  {
    id: 'gh',
    client: 'gh',
    version: ['gh', '--version'],
    needs: ['gh'],
    how: 'https_proxy; SSL_CERT_FILE',
    env: { GH_HOST: '@host:api@', GH_ENTERPRISE_TOKEN: 'placeholder', GH_NO_UPDATE_NOTIFIER: '1' },
    command: ['gh', 'api', 'user'],
    expect: /hello from api/,
  },
  {
    id: 'glab',
    client: 'glab',
    version: ['glab', '--version'],
    needs: ['glab'],
    how: 'https_proxy; SSL_CERT_FILE',
    env: {
      GITLAB_HOST: '@https:api@',
      GITLAB_TOKEN: 'placeholder',
      GLAB_CHECK_UPDATE: 'false',
      GLAB_SEND_TELEMETRY: 'false',
    },
    command: ['glab', 'api', 'user'],
    expect: /hello from api/,
  },
  {
    id: 'hg',
    client: 'hg',
    version: ['hg', '--version'],
    needs: ['/usr/bin/hg'],
    how: 'https_proxy; HGRCPATH',
    command: ['/usr/bin/hg', 'clone', '@https:hg@/project', 'project'],
    expect: /updating to branch default|no changes found/,
  },
  {
    id: 'svn',
    client: 'svn',
    version: ['svn', '--version'],
    needs: ['svn'],
    how: '~/.subversion/servers (proxy and CA), or capture and the system store',
    homeFiles: ['environment', 'capture'],
    proves: 'reached',
    command: ['svn', '--non-interactive', 'ls', '@https:svn@/project'],
    expect: /E160013|E170001|E175\d\d\d.*(?:404|405|not found|no such path)/i,
  },
  {
    id: 'darcs',
    client: 'darcs',
    version: ['darcs', '--version'],
    needs: ['darcs'],
    how: 'https_proxy; SYSTEM_CERTIFICATE_PATH',
    command: ['darcs', 'clone', '--no-cache', '@https:darcs@/project', 'project'],
    expect: /Finished cloning/,
  },
  {
    id: 'fossil',
    client: 'fossil',
    version: ['fossil', 'version'],
    needs: ['fossil'],
    how: 'https_proxy (lower case); SSL_CERT_FILE',
    proves: 'reached',
    env: { USER: 'example' },
    command: ['fossil', 'clone', '@https:web@/project', 'project.fossil'],
    expect: /404|no such path on web/,
  },
  {
    id: 'git-ssh',
    client: 'git over ssh',
    version: ['ssh', '-V'],
    needs: ['git', 'ssh'],
    how: '~/.ssh/config (ProxyCommand), or capture',
    homeFiles: ['environment'],
    proves: 'reached',
    env: {
      GIT_SSH_COMMAND:
        'ssh $([ -e "$HOME/.ssh/config" ] && echo "-F $HOME/.ssh/config") -v -p @port:ssh@ -o StrictHostKeyChecking=no -o BatchMode=yes',
    },
    command: ['git', 'clone', 'ssh://git@@host:ssh@/project.git'],
    expect: /remote software version UpstreamproxyFixture|remote software version \S*[Ff]ixture/,
  },
];
