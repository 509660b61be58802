// The phrases that our texts do not use, and what to write in their place. The rules and Vale's styles are made from these lists.

export interface Phrase {
  /** Source of a regular expression that both JavaScript and Vale (Go's RE2, or regexp2 with look-around) read; whole words, any case. */
  readonly find: string;
  readonly instead: string;
}

/** Longer or rarer than the plain word. */
export const plainWords: readonly Phrase[] = [
  { find: 'utili[sz]e[sd]?', instead: 'use' },
  { find: 'leverag(?:e|es|ed|ing)', instead: 'use' },
  { find: 'in order to', instead: 'to' },
  { find: 'prior to', instead: 'before' },
  { find: 'subsequent to', instead: 'after' },
  { find: 'due to the fact that', instead: 'because' },
  { find: 'in the event (?:that|of)', instead: 'if' },
  { find: 'at this point in time', instead: 'now' },
  { find: 'a large number of', instead: 'many' },
  { find: 'upon', instead: 'on, or when' },
  { find: 'whilst', instead: 'while' },
  { find: 'amongst', instead: 'among' },
  { find: 'shall', instead: 'must, or will' },
  { find: 'thus', instead: 'so' },
  { find: 'hence', instead: 'so' },
  { find: '(?:here|there|where)(?:by|of|in|upon|with|after)', instead: 'a plain clause' },
  { find: 'lest', instead: 'so that … not' },
  { find: 'e\\.g\\.', instead: 'for example' },
  { find: 'i\\.e\\.', instead: 'that is' },
  { find: 'etc\\.', instead: 'the whole list, or "and others"' },
  { find: 'simply', instead: 'nothing: leave it out' },
  { find: 'obviously', instead: 'nothing: leave it out' },
  { find: 'of course', instead: 'nothing: leave it out' },
  { find: 'please', instead: 'nothing: leave it out' },
  { find: 'seamless(?:ly)?', instead: 'what happens' },
  { find: 'robust(?:ly)?', instead: 'what it withstands' },
  { find: 'state[ -]of[ -]the[ -]art', instead: 'a fact' },
  { find: 'man[ -]in[ -]the[ -]middle', instead: 'who stands between the two ends' },
  { find: 'mends?|mended|mending', instead: 'fix, or correct' },
];

/** Constructions over which a reader stumbles. */
export const stumblingPhrases: readonly Phrase[] = [
  { find: 'such as (?:has|have|is|are|was|were|do|does)', instead: 'those that have, or "which"' },
  {
    find: '(?:for|to|by|from|of) who (?:has|have|is|are|can|wants?|needs?|reads?|sees?|uses?)',
    instead: '"anyone who …"',
  },
  { find: "nobody's", instead: '"belongs to no one"' },
  { find: 'not any ?more', instead: 'no longer' },
  { find: 'at the (?:most|least)', instead: 'at most, or at least' },
  {
    find: '(?:would|could|should|must|can|will|may|might) else',
    instead: 'otherwise, at the start of the clause',
  },
  { find: '(?:is|are|was|were|be) (?:not )?to be had', instead: 'is (not) available' },
  { find: '(?:can|could)(?:not|n.t)? be had', instead: 'is (not) available' },
  { find: 'but for', instead: 'except for' },
  { find: 'all but', instead: 'all except, or almost' },
  { find: 'need(?:s)? not', instead: 'does not have to' },
  { find: 'for good', instead: 'permanently' },
  { find: '(?:is|are) had', instead: 'has, with its owner as the subject' },
  { find: 'be it', instead: 'whether' },
  { find: '(?:would|could|might) else', instead: 'otherwise' },
  { find: 'as well as can be', instead: 'a fact' },
  { find: 'that that', instead: 'that' },
  { find: 'the former|the latter', instead: 'the name of the thing' },
  { find: 'takes? leave', instead: 'says goodbye in one plain word: drains, ends, tells the agents' },
  { find: 'the like', instead: 'the whole list' },
  { find: 'has it that', instead: 'says that' },
  { find: 'whence|whither|thence', instead: 'from where, to where, from there' },
  { find: '(?:one|two|three|some|many|few) of them each', instead: 'each of the …' },
];

/** Names and terms, as their owners and RFCs write them. The wrong form is looked for in the case that stands here. */
export const properNames: readonly Phrase[] = [
  { find: 'Github|GitHUB|github', instead: 'GitHub' },
  { find: 'Gitlab|gitlab', instead: 'GitLab' },
  { find: 'Javascript|javascript', instead: 'JavaScript' },
  { find: 'Typescript|typescript', instead: 'TypeScript' },
  { find: 'Postgres|postgres|Postgresql|postgresql', instead: 'PostgreSQL' },
  { find: 'NodeJS|nodejs|Nodejs|Node\\.js', instead: 'Node' },
  { find: 'Websockets?|websockets?', instead: 'WebSocket' },
  { find: 'kubernetes|k8s|K8s', instead: 'Kubernetes' },
  { find: 'docker', instead: 'Docker' },
  { find: 'linux', instead: 'Linux' },
  { find: 'chromium', instead: 'Chromium' },
  { find: 'haproxy|HAproxy', instead: 'HAProxy' },
  { find: 'oauth|Oauth', instead: 'OAuth' },
  { find: 'MacOS|Mac OS|macos', instead: 'macOS' },
  { find: 'url|Url', instead: 'URL' },
  { find: 'json|Json', instead: 'JSON' },
  { find: 'yaml|Yaml', instead: 'YAML' },
  { find: 'tls|ssl', instead: 'TLS' },
  { find: 'dns', instead: 'DNS' },
  { find: 'api', instead: 'API' },
  { find: 'vpn', instead: 'VPN' },
  { find: 'SSL', instead: 'TLS' },
];

/** Abbreviations that every reader of these pages knows, or that are names. All others are explained where a page first uses them. */
export const knownAbbreviations: ReadonlySet<string> = new Set(
  `AF ALPN AND ANSI API APIs ARM ASCII AWS BSD CA CAs CI CIDR CLI CONNECT CORS CPU CPUs CSS CSV CVE DELETE DENY ALLOW DNS DEB EOF
  ESM FAQ GB GCP GET GID GNU HAR HEAD HOME HTML HTTP HTTPS ID IDs IO IP IPs ISO JAR JDK JSON JVM JWT JWK JWKS KB KMS KB LF LTS MAC MB
  MCP MIT NFS NO NOT NPM OK OPTIONS OR OS PATCH PATH PEM PID PIDs PID1 POSIX POST PUT RAM RFC RPM RSS SAN SDK SHA SIGHUP SIGINT SIGTERM
  SIGKILL SNI SQL SSE SSH TCP TLS TRACE TTY TTL UDP UI UID URI URL URLs US USB UTC UTF UUID VM VMs VPN WAL XML YAML
  README NVIDIA SOCKS5 QUIC ICMP SIGUSR1 SIGUSR2 NAT64 ABI AES CBOR CEL CRL CSP CSRF DER DPoP DSSE ECDSA EC ECH ELF FFI FIFO HMAC HKDF HPKE IPC IMDS JIT KEK LSM MTU OCSP OCI OIDC OPA OTLP
  PKCE PKCS RBAC RSA S3 SBOM SEA SPDX SARIF SSRF STS V8 X.509`.split(/\s+/),
);

/** Words of headings that keep their capital. */
export const headingNames: ReadonlySet<string> = new Set(
  `Anthropic Apache Bedrock Bun C CEL Chromium Claude Cloud Code Codex Cloudflare CodeMirror Compose Content-Length Debian Deno Docker Envoy Firecracker
  Gemini Git GitHub GitLab Go Gradle HAProxy Helm Host I InvokeModel Java JavaScript Kubernetes Landlock Linux Maven Node Node's OAuth OpenBao OpenCode OpenID
  MariaDB MySQL OpenShell OpenTelemetry VitePress Apps PgBouncer Podman PostgreSQL PostgreSQL's PowerShell Prometheus Python Redis Rust Schema SQLite SigV4 Squid Transfer-Encoding TypeScript
  Unix Upgrade V8 V8's Vault Via WebSocket WebSockets WebSocket's Windows macOS`.split(/\s+/),
);
