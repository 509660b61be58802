// Rows of the doctor's table: programs that fetch, tools of version control, and those of other protocols.

import {
  type ClientRow,
  environmentProxy,
  files,
  lowerCaseProxy,
  noProxySetting,
  system,
} from './client-row.ts';

const version = ['--version'];

const fetchers: readonly ClientRow[] = [
  {
    id: 'curl',
    commands: ['curl'],
    version,
    proxy: environmentProxy,
    trust: files('CURL_CA_BUNDLE', 'SSL_CERT_FILE'),
    proof: { args: ['-sS', '@url@'] },
  },
  {
    id: 'wget',
    commands: ['wget'],
    version,
    proxy: lowerCaseProxy,
    trust: [
      { kind: 'configuration', name: 'WGETRC', pattern: /^\s*ca_?certificate\s*=\s*(\S+)/im },
      { kind: 'home', path: '.wgetrc', pattern: /^\s*ca_?certificate\s*=\s*(\S+)/im },
      system,
    ],
    proof: { args: ['-nv', '--no-hsts', '-O', '-', '@url@'] },
  },
  {
    id: 'wget2',
    commands: ['wget2'],
    version,
    proxy: environmentProxy,
    trust: 'relay',
    proof: { args: ['-q', '--no-hsts', '-O', '-', '@url@'] },
  },
  {
    id: 'aria2',
    commands: ['aria2c'],
    version,
    proxy: lowerCaseProxy,
    trust: [{ kind: 'home', path: '.aria2/aria2.conf', pattern: /^ca-certificate=(.+)$/m }, system],
    fix: 'home-files',
    proof: {
      args: [
        '--console-log-level=error',
        '--summary-interval=0',
        '--dir=@temporary@',
        '--out=response',
        '@url@',
      ],
      output: 'response',
    },
  },
  {
    id: 'axel',
    commands: ['axel'],
    version,
    proxy: environmentProxy,
    trust: 'unverified',
    proof: { args: ['-q', '-n', '1', '-o', '@temporary@/response', '@url@'], output: 'response' },
  },
  {
    id: 'httpie',
    commands: ['http'],
    version,
    proxy: environmentProxy,
    trust: files('REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'),
    proof: { args: ['--ignore-stdin', '--body', '--pretty=none', '@url@'] },
  },
  {
    id: 'xh',
    commands: ['xh'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: { args: ['--ignore-stdin', '--body', '--pretty=none', '@url@'] },
  },
  {
    id: 'lynx',
    commands: ['lynx'],
    version,
    proxy: lowerCaseProxy,
    trust: files('SSL_CERT_FILE'),
    proof: { args: ['-source', '@url@'] },
  },
  {
    id: 'w3m',
    commands: ['w3m'],
    version: ['-version'],
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: { args: ['-dump_source', '@url@'] },
  },
  {
    id: 'elinks',
    commands: ['elinks'],
    version,
    proxy: environmentProxy,
    trust: 'unverified',
    proof: { args: ['-no-home', '-source', '@url@'] },
  },
  {
    id: 'links',
    commands: ['links'],
    version: ['-version'],
    proxy: [{ kind: 'home', path: '.links2/links.cfg', pattern: /^https_proxy\s+"?127\.0\.0\.1:\d+/m }],
    trust: files('SSL_CERT_FILE'),
    fix: 'home-files',
    proof: { args: ['-source', '@url@'] },
  },
  {
    id: 'lftp',
    commands: ['lftp'],
    version,
    proxy: lowerCaseProxy,
    trust: [{ kind: 'home', path: '.lftprc', pattern: /^\s*set\s+ssl:ca-file\s+"?([^\s"]+)/m }, system],
    fix: 'home-files',
    proof: { args: ['-c', 'set net:max-retries 1; cat @url@'], env: { LFTP_HOME: '@temporary@' } },
  },
  {
    id: 'busybox-wget',
    commands: ['busybox'],
    version: ['--help'],
    proxy: lowerCaseProxy,
    trust: 'unverified',
    proof: { args: ['wget', '-q', '-O', '-', '@url@'] },
  },
];

const versionControl: readonly ClientRow[] = [
  {
    id: 'git',
    commands: ['git'],
    version,
    proxy: environmentProxy,
    trust: files('GIT_SSL_CAINFO'),
    proof: {
      args: ['ls-remote', '@base@/doctor.git/@word@'],
      env: { GIT_TERMINAL_PROMPT: '0' },
      expect: 'refs/heads/@word@',
    },
  },
  {
    id: 'hg',
    commands: ['hg'],
    version: ['--version', '-q'],
    proxy: environmentProxy,
    trust: [
      { kind: 'configuration', name: 'HGRCPATH', pattern: /^\s*cacerts\s*=\s*(\S+)/m },
      { kind: 'home', path: '.hgrc', pattern: /^\s*cacerts\s*=\s*(\S+)/m },
      system,
    ],
    proof: { args: ['identify', '--noninteractive', '@status@'], expect: 'Error 418' },
  },
  {
    id: 'svn',
    commands: ['svn'],
    version: ['--version', '-q'],
    proxy: [{ kind: 'home', path: '.subversion/servers', pattern: /^http-proxy-port\s*=/m }],
    trust: [
      { kind: 'file', name: 'SSL_CERT_FILE', adds: true },
      { kind: 'home', path: '.subversion/servers', pattern: /^ssl-authority-files\s*=\s*(\S+)/m },
      system,
    ],
    fix: 'home-files',
    proof: { args: ['info', '--non-interactive', '@status@'], expect: 'status 418' },
  },
  {
    id: 'darcs',
    commands: ['darcs'],
    version,
    proxy: environmentProxy,
    trust: files('SYSTEM_CERTIFICATE_PATH'),
  },
  {
    id: 'fossil',
    commands: ['fossil'],
    version: ['version'],
    proxy: lowerCaseProxy,
    trust: files('SSL_CERT_FILE'),
  },
  { id: 'gh', commands: ['gh'], version, proxy: environmentProxy, trust: files('SSL_CERT_FILE') },
];

const others: readonly ClientRow[] = [
  {
    id: 'aws',
    commands: ['aws'],
    version,
    proxy: environmentProxy,
    trust: files('AWS_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'),
    proof: {
      args: ['s3api', 'list-buckets', '--no-sign-request', '--endpoint-url', '@status@'],
      env: { AWS_MAX_ATTEMPTS: '1', AWS_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true' },
      expect: '418',
    },
  },
  {
    id: 'az',
    commands: ['az'],
    // Whatever it is told to do, it asks elsewhere for newer ones as well; so it is not started.
    version: [],
    proxy: environmentProxy,
    trust: files('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'),
  },
  {
    id: 'kubectl',
    commands: ['kubectl'],
    version: ['version', '--client'],
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      args: ['--kubeconfig=/dev/null', '--server=@base@', '--token=doctor', 'get', '--raw', '/doctor/@word@'],
    },
  },
  { id: 'skopeo', commands: ['skopeo'], version, proxy: environmentProxy, trust: files('SSL_CERT_FILE') },
  {
    id: 'podman',
    commands: ['podman'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    containers: 'podman',
  },
  {
    id: 'buildah',
    commands: ['buildah'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    containers: 'buildah',
  },
  {
    id: 'rclone',
    commands: ['rclone'],
    version: ['version'],
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      args: ['copyurl', '--stdout', '--config=', '--retries=1', '@url@'],
    },
  },
  {
    id: 'restic',
    commands: ['restic'],
    version: ['version'],
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
  },
  {
    id: 's3cmd',
    commands: ['s3cmd'],
    version,
    proxy: [{ kind: 'home', path: '.s3cfg', pattern: /^proxy_host\s*=\s*127\.0\.0\.1/m }],
    // Without its own setting Python's: the variable, then the system's bundle.
    trust: [
      { kind: 'home', path: '.s3cfg', pattern: /^ca_certs_file\s*=\s*(\S+)/m },
      ...files('SSL_CERT_FILE'),
    ],
    fix: 'home-files',
  },
  {
    id: 'chromium',
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    version,
    proxy: environmentProxy,
    trust: [
      { kind: 'fixed', path: '/etc/chromium/policies/managed/upstreamproxy.json' },
      { kind: 'home', path: '.pki/nssdb/cert9.db' },
    ],
    fix: 'home-files',
  },
  {
    id: 'firefox',
    commands: ['firefox', 'firefox-esr'],
    version,
    proxy: environmentProxy,
    trust: [
      {
        kind: 'fixed',
        path: '/etc/firefox/policies/policies.json',
        pattern: /"Install"\s*:\s*\[\s*"([^"]+)"/,
      },
    ],
    fix: 'system-store',
  },
  {
    id: 'ssh',
    commands: ['ssh'],
    version: ['-V'],
    proxy: [{ kind: 'home', path: '.ssh/config', pattern: /^\s*ProxyCommand\s.*\bconnect\b/im }],
    trust: 'none',
    port: 22,
    fix: 'home-files',
  },
  {
    id: 'rsync',
    commands: ['rsync'],
    version,
    proxy: [{ kind: 'variable', names: ['RSYNC_PROXY'] }],
    trust: 'none',
    port: 873,
  },
  // Keyservers; it resolves names itself, even where its settings name a proxy.
  { id: 'dirmngr', commands: ['dirmngr'], version, ...noProxySetting, trust: [system] },
  { id: 'psql', commands: ['psql'], version, ...noProxySetting, trust: 'none', port: 5432 },
  { id: 'redis-cli', commands: ['redis-cli'], version, ...noProxySetting, trust: 'none', port: 6379 },
];

export const networkClients: readonly ClientRow[] = [...fetchers, ...versionControl, ...others];
