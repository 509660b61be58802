// `npm run test:distributions -- [--agent FILE --gateway FILE | --packages DIR]`: builds the packages twice, which gives the same bytes; installs them in a machine that systemd boots, and does there
// what docs/guides/service.md says; installs the RPMs in a root. As root, with packages of Debian, which it installs where they are missing.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildDistributionPackages, packageFormats, toolOfFormat } from './packages/distribution-packages.ts';
import { guideParts, guideScript, type GuidePart } from './packages/guide-script.ts';
import { Machine, makeBase, mustRun } from './packages/machine.ts';
import { defaultMaintainer } from './packages/package-build.ts';
import { givenSingleFile } from './release/given-single-file.ts';
import { findTool, skipWithout } from '../test/support/tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    agent: { type: 'string' },
    gateway: { type: 'string' },
    packages: { type: 'string' },
  },
});
/** Made once it is clear that there is something to do. */
let work = '';

/** What a test needs of Debian, by the program that shows whether it is there. */
const tools: Readonly<Record<string, string>> = {
  'dpkg-deb': 'dpkg',
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  rpmbuild: 'rpm',
  lintian: 'lintian',
};

function installTools(): void {
  const missing = Object.entries(tools).flatMap(([tool, name]) =>
    findTool(tool) === undefined ? [name] : [],
  );
  if (missing.length === 0 || findTool('apt-get') === undefined) return;
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
  for (const name of missing)
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], { stdio: 'ignore' });
}

/** The packages of one build, by name. */
function build(folder: string, files: readonly string[]): ReadonlyMap<string, string> {
  const out = join(work, folder);
  const formats = findTool('rpmbuild') === undefined ? ['deb'] : ['deb', 'rpm'];
  const options = formats.flatMap((format) => ['--format', format]);
  mustRun(
    process.execPath,
    ['scripts/build-packages.ts', '--quick', ...options, '--out', out, ...files],
    root,
  );
  return packagesIn(out);
}

const packagesIn = (folder: string): ReadonlyMap<string, string> =>
  new Map(readdirSync(folder).map((name) => [name, join(folder, name)]));

function singleFiles(): readonly string[] {
  return (['agent', 'gateway'] as const).flatMap((program) => {
    const option = `--${program}`;
    return [
      option,
      givenSingleFile({ program, architecture: process.arch, option, given: values[program], work }),
    ];
  });
}

const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

function buildTwice(): ReadonlyMap<string, string> {
  const files = singleFiles();
  const [first, second] = [build('first', files), build('second', files)];
  if (first.size < 2) throw new Error(`only ${first.size} packages were built`);
  for (const [name, path] of first) {
    const again = second.get(name);
    if (again === undefined || hash(path) !== hash(again))
      throw new Error(`${name} is another one each time`);
    console.log(`✔ ${name}: two builds are equal`);
  }
  return first;
}

/** As a release packs them, which takes minutes for programs of their size: what is packed here is small, and packed twice. */
function packTwice(): void {
  const [program, folder] = [join(work, 'small'), join(work, 'packed')];
  writeFileSync(program, 'a small program\n'.repeat(100_000));
  mkdirSync(folder);
  const files = { agent: program, gateway: program, licences: { agent: 'none', gateway: 'none' } };
  const formats = packageFormats.filter((format) => findTool(toolOfFormat(format)) !== undefined);
  const facts = { root, version: '1.0.0', architecture: 'arm64', epoch: 1_700_000_000 } as const;
  const sums = [1, 2].map(() =>
    buildDistributionPackages({
      ...files,
      ...facts,
      formats,
      out: folder,
      maintainer: defaultMaintainer,
      isQuick: false,
    }).map(({ path }) => `${basename(path)} ${hash(path)}`),
  );
  if (sums[0]?.length !== 2 * formats.length || String(sums[0]) !== String(sums[1]))
    throw new Error(`packed as a release has them, they are others each time:\n${sums.join('\n')}`);
  console.log(`✔ ${formats.join(' and ')} as a release packs them: two builds are equal`);
}

function lint(packages: ReadonlyMap<string, string>): void {
  if (findTool('lintian') === undefined) return console.log('﹣ lintian: not installed here');
  const debs = [...packages.values()].filter((path) => path.endsWith('.deb'));
  const options = ['--fail-on', 'error,warning', '--allow-root', '--tag-display-limit', '0'];
  const said = mustRun('lintian', [...options, ...debs]);
  console.log(`✔ lintian finds no error and no warning${said === '' ? '' : `:\n${said}`}`);
}

/** Of Debian the release that this machine has, if it has one: its package sources are known to work here. */
function release(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return (/^ID=debian$/m.test(text) ? /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] : undefined) ?? 'stable';
}

/** What is looked at between the steps of the guide. */
function checksAfter(part: GuidePart): string {
  const text = part.kind === 'file' ? part.path : part.text;
  const found = Object.entries(checks).find(([start]) => text.includes(start));
  return found === undefined ? '' : `\n${found[1]}`;
}

/** What the checks are written in. */
const prelude = `
set -E -o pipefail
trap 'echo "failed in line $LINENO: $BASH_COMMAND" >&2' ERR
same() { test "$1" = "$2" || { echo "it is $1, and should be $2"; return 1; }; }
refuse() { if "$@"; then echo "it went: $*"; return 1; fi; }
`;

const checks: Readonly<Record<string, string>> = {
  'apt-get install': `
    same "$(systemctl is-enabled upstreamproxy-gateway.service)" disabled
    refuse systemctl --quiet is-active upstreamproxy-gateway.service
    same "$(stat -c '%U %G %a' /var/lib/upstreamproxy /etc/upstreamproxy | paste -sd,)" 'upstreamproxy upstreamproxy 700,root upstreamproxy 750'
    same "$(stat -c '%U %G %a' /etc/upstreamproxy/gateway.yaml)" 'root upstreamproxy 640'
    same "$(stat -c '%U %a' /usr/bin/upstreamproxy-gateway)" 'root 711'
    upstreamproxy version
    test -s /usr/share/man/man1/upstreamproxy-gateway.1.gz
    systemd-analyze verify --man=no /usr/lib/systemd/system/upstreamproxy-gateway.service /usr/lib/systemd/system/upstreamproxy-gateway.socket
    # As the package has it, it serves this machine alone.
    systemctl start upstreamproxy-gateway.service
    same "$(systemctl show -P StatusText upstreamproxy-gateway)" 'listening on https://127.0.0.1:8443'
    systemctl stop upstreamproxy-gateway.service
    same "$(systemctl show -P Result -P ExecMainStatus upstreamproxy-gateway | paste -sd,)" 'success,0'`,
  'systemctl enable --now upstreamproxy-gateway.service': `
    same "$(systemctl show -P StatusText upstreamproxy-gateway)" 'listening on https://gateway.example.com:8443'
    systemd-analyze security --no-pager upstreamproxy-gateway.service | tail -1
    systemd-analyze security --no-pager --threshold=11 upstreamproxy-gateway.service > /dev/null`,
  'ca show': `
    ask() { curl --silent --show-error --fail --max-time 60 --cacert gateway-ca.pem --resolve "gateway.example.com:$1:127.0.0.1" "https://gateway.example.com:$1/readyz" > /dev/null; }
    ask 8443
    # The whole way, from the agent of the other package.
    apt-get install -y ./upstreamproxy-agent_*.deb > /dev/null
    useradd --create-home work
    install -o work -m 0600 token /home/work/token
    cp gateway-ca.pem /home/work/
    echo '127.0.0.1 gateway.example.com' >> /etc/hosts
    request='exec 3<>/dev/tcp/127.0.0.1/\${http_proxy##*:}; printf "GET http://denied.test/ HTTP/1.1\\r\\nHost: denied.test\\r\\n\\r\\n" >&3; head -1 <&3'
    runuser -u work -- upstreamproxy-agent run --gateway https://gateway.example.com:8443 --gateway-ca /home/work/gateway-ca.pem --token-file /home/work/token -- bash -c "$request" | tee said
    grep -q 'HTTP/1.1 403' said
    runuser -u upstreamproxy -- upstreamproxy audit tail --config /etc/upstreamproxy/gateway.yaml | grep denied.test`,
  'systemctl reload': `
    same "$(systemctl show -P ReloadResult upstreamproxy-gateway)" success
    cp /etc/upstreamproxy/policy.yaml good.yaml
    printf 'rules: [{ nonsense: 1 }]\\n' > /etc/upstreamproxy/policy.yaml
    systemctl reload upstreamproxy-gateway.service
    systemctl --quiet is-active upstreamproxy-gateway.service
    journalctl -u upstreamproxy-gateway | grep nonsense
    cp good.yaml /etc/upstreamproxy/policy.yaml
    same "$(systemctl show -P NRestarts upstreamproxy-gateway)" 0`,
  'enable --now upstreamproxy-gateway.socket': `
    ask 443
    same "$(systemctl show -P StatusText upstreamproxy-gateway)" 'listening on https://gateway.example.com:443'
    # While it is replaced, none is refused. One that the old process took in its last moment is cut, and comes again.
    (for i in $(seq 20); do ask 443 2>> cut || ask 443 2>> cut || exit 1; done) & asking=$!
    systemctl restart upstreamproxy-gateway.service
    wait $asking
    refuse grep -i 'refused\\|could not connect\\|failed to connect' cut
    # And where there is none, they start one.
    systemctl stop upstreamproxy-gateway.service
    ask 443
    # One that hangs is ended and started again.
    mkdir -p /run/systemd/system/upstreamproxy-gateway.service.d
    printf '[Service]\\nWatchdogSec=1s\\nRestartSec=0\\n' > /run/systemd/system/upstreamproxy-gateway.service.d/watchdog.conf
    systemctl daemon-reload
    systemctl restart upstreamproxy-gateway.service
    hung=$(systemctl show -P MainPID upstreamproxy-gateway)
    kill -STOP "$hung"
    for i in $(seq 600); do test "$(systemctl show -P NRestarts upstreamproxy-gateway)" != 0 && break; sleep 0.1; done
    ask 443
    test "$(systemctl show -P MainPID upstreamproxy-gateway)" != "$hung"
    rm /run/systemd/system/upstreamproxy-gateway.service.d/watchdog.conf
    systemctl daemon-reload
    # Several workers, and their supervisor speaks for them.
    echo 'workers: 2' >> /etc/upstreamproxy/gateway.yaml
    systemctl restart upstreamproxy-gateway.service
    ask 443
    systemctl reload upstreamproxy-gateway.service
    # What does not fit is said.
    sed -i 's/port: 443/port: 444/' /etc/upstreamproxy/gateway.yaml
    refuse systemctl restart upstreamproxy-gateway.service
    journalctl -u upstreamproxy-gateway | grep 'the socket for gateway is at \\[::\\]:443'
    systemctl stop upstreamproxy-gateway.service
    sed -i 's/port: 444/port: 443/' /etc/upstreamproxy/gateway.yaml
    echo canary > api-token`,
  'secrets.conf': `
    printf 'credentials:\\n  api: { kind: bearer, source: { file: /run/credentials/upstreamproxy-gateway.service/api-token } }\\n' >> /etc/upstreamproxy/gateway.yaml
    printf 'rules: [{ name: api, hosts: api.test, inject: api }]\\n' > /etc/upstreamproxy/policy.yaml
    systemctl daemon-reload
    systemctl restart upstreamproxy-gateway.service
    ask 443
    same "$(stat -c %U /run/credentials/upstreamproxy-gateway.service/api-token)" root
    # An upgrade keeps what was changed, and replaces the gateway that runs.
    before=$(systemctl show -P MainPID upstreamproxy-gateway)
    dpkg-deb -R upstreamproxy-gateway_*.deb newer
    sed -i 's/^Version: .*/Version: 99.0/' newer/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b newer newer.deb > /dev/null
    dpkg --install newer.deb
    test "$(systemctl show -P MainPID upstreamproxy-gateway)" != "$before"
    grep -q 'workers: 2' /etc/upstreamproxy/gateway.yaml
    # One that does not start is told, and leaves no package half-configured.
    echo 'nonsense: 1' >> /etc/upstreamproxy/gateway.yaml
    dpkg --install newer.deb 2>&1 | grep 'the gateway did not start again'
    same "$(dpkg-query -W -f '\${Status}' upstreamproxy-gateway)" 'install ok installed'
    sed -i '/^nonsense/d' /etc/upstreamproxy/gateway.yaml
    systemctl restart upstreamproxy-gateway.service
    ask 443
    # Removed and back again, it finds its keys.
    apt-get remove -y upstreamproxy-gateway > /dev/null
    test ! -e /etc/systemd/system/multi-user.target.wants/upstreamproxy-gateway.service
    refuse curl --silent --insecure --max-time 5 https://127.0.0.1:443/
    dpkg --install newer.deb > /dev/null
    systemctl start upstreamproxy-gateway.socket
    ask 443`,
  'apt-get purge': `
    test ! -e /etc/upstreamproxy/gateway.yaml
    test ! -e /usr/bin/upstreamproxy`,
};

function bootMachine(packages: ReadonlyMap<string, string>, base: string): void {
  const guide = guideParts(readFileSync(join(root, 'docs/guides/service.md'), 'utf8'));
  const unused = Object.keys(checks).filter(
    (start) => !guide.some((part) => checksAfter(part) !== '' && JSON.stringify(part).includes(start)),
  );
  if (unused.length > 0) throw new Error(`no step of the guide has ${unused.join(', ')}`);
  const debs = [...packages].filter(([name]) => name.endsWith('.deb'));
  const machine = new Machine(base, join(work, 'machine'));
  const log = machine.boot({
    script: prelude + guideScript(guide, checksAfter),
    files: Object.fromEntries(debs),
  });
  console.log(log.replaceAll(/^/gm, '  '));
  console.log(
    '✔ the .deb: installed, started, reloaded, hung, upgraded, removed and purged as the guide says',
  );
}

/** Scripts of the package run where no systemd does, as in the build of an image. */
function installRpms(packages: ReadonlyMap<string, string>, base: string): void {
  const rpms = [...packages.values()].filter((path) => path.endsWith('.rpm'));
  if (rpms.length === 0) return console.log('﹣ the .rpm: rpmbuild is not installed here');
  const target = join(work, 'rpm-root');
  mustRun('cp', ['-a', base, target]);
  const rpm = (...args: readonly string[]): string => mustRun('rpm', ['--root', target, '--nodeps', ...args]);
  rpm('-i', ...rpms);
  const inside = (command: string): string => mustRun('chroot', [target, '/bin/bash', '-ec', command]);
  inside(
    "test \"$(stat -c '%U %G %a' /var/lib/upstreamproxy /etc/upstreamproxy | paste -sd,)\" = 'upstreamproxy upstreamproxy 700,root upstreamproxy 750'",
  );
  inside('upstreamproxy version && upstreamproxy-agent version');
  inside('echo "# changed" >> /etc/upstreamproxy/policy.yaml');
  rpm('-U', '--replacepkgs', ...rpms);
  inside('grep -q changed /etc/upstreamproxy/policy.yaml');
  rpm('-e', 'upstreamproxy-gateway', 'upstreamproxy-agent');
  inside(
    'test ! -e /usr/bin/upstreamproxy-gateway && test -d /var/lib/upstreamproxy && test -e /etc/upstreamproxy/policy.yaml.rpmsave',
  );
  console.log(
    `✔ the .rpm: ${rpms.map((path) => basename(path)).join(', ')} installed, upgraded and removed in a root`,
  );
}

const isRoot = process.geteuid?.() === 0;
if (isRoot) installTools();
const missing = isRoot ? skipWithout('dpkg-deb') : 'root is needed';
if (missing !== false) console.log(`﹣ packages: skipped, ${missing}`);
else
  try {
    work = mkdtempSync(join(tmpdir(), 'upstreamproxy-packages-'));
    process.umask(0o022);
    packTwice();
    const packages = values.packages === undefined ? buildTwice() : packagesIn(resolve(values.packages));
    const cannotBoot = skipWithout('mmdebstrap', 'systemd-nspawn', 'unshare');
    if (cannotBoot !== false) console.log(`﹣ the machine: skipped, ${cannotBoot}`);
    else {
      const base = join(work, 'base');
      makeBase(base, release(), [
        'ca-certificates',
        'curl',
        'libatomic1',
        'libstdc++6',
        'systemd',
        'systemd-sysv',
      ]);
      bootMachine(packages, base);
      installRpms(packages, base);
    }
    lint(packages);
  } finally {
    if (work !== '') rmSync(work, { recursive: true, force: true });
  }
