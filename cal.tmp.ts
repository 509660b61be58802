import { MatchingWork } from './src/policy/matching-work.ts';
import { PathPattern } from './src/policy/path-pattern.ts';
import { GitPattern } from './src/policy/git-pattern.ts';
import { readPath, readingsFor, pathFeatures } from './src/http/path-reading.ts';
import { conditionCompiler } from './src/policy/condition.ts';
import { conditionHolds } from './src/policy/rule-condition.ts';
import { HeaderList } from './src/http/header-list.ts';
function cpu(f: (w: MatchingWork) => void, name: string, n = 2000) {
  const w = new MatchingWork(Infinity); (w as any);
  for (let i = 0; i < 200; i++) f(w);
  const w2 = new MatchingWork(Number.MAX_SAFE_INTEGER);
  const t = process.threadCpuUsage();
  for (let i = 0; i < n; i++) f(w2);
  const { user, system } = process.threadCpuUsage(t);
  console.log(name.padEnd(50), ((user + system) * 1000 / n).toFixed(0), 'ns per call', (w2.steps / n).toFixed(1), 'steps', ((user + system) * 1000 / w2.steps).toFixed(2), 'ns/step');
}
const p = PathPattern.parse('/*.x5/*y'); if (typeof p === 'string') throw p;
const path = '/' + 'q.x4/'.repeat(200) + 'z';
cpu((w) => p.matches(path, w), 'automaton');
const long = '/' + '%40a'.repeat(5000); const rs = readingsFor(pathFeatures(long));
for (const r of rs) cpu(() => readPath(long, r), `read 20KB escapes ${JSON.stringify([r.octets, r.slashes])}`, 300);
cpu(() => pathFeatures(long), 'features', 300);
const short = '/' + 'a;/'.repeat(6000);
for (const r of readingsFor(pathFeatures(short))) cpu(() => readPath(short, r), `read 18KB ;/ ${r.parameters} ${r.mergesSlashes}`, 300);
const sl = '/' + 'a//'.repeat(6000);
for (const r of readingsFor(pathFeatures(sl))) cpu(() => readPath(sl, r), `read 18KB // ${r.parameters} ${r.mergesSlashes}`, 300);
const c = conditionCompiler();
for (const s of ['request.port > 0', '"x-tag" in request.headers && "v1" in request.headers["x-tag"]', '"tag" in request.parameters && "v1" in request.parameters["tag"]', 'request.headers["accept"].exists(v, v == "x")', 'request.query.contains("zz") || request.path.endsWith("q") || posture.exists(p, p == "jailed") && now > timestamp("2020-01-01T00:00:00Z")']) {
  const one = c(s); if (typeof one === 'string') throw new Error(one);
  const access: any = { depth: 'request', destination: { scheme: 'https', host: 'a.test', port: 443 }, method: 'GET', path: '/x', query: 'a=1', headers: new HeaderList([['accept', '*/*'], ['x-tag', 'v5']]) };
  const principal: any = { id: 'a', sessionId: 's', claims: {}, posture: ['jailed'] };
  cpu((work) => conditionHolds(one, 'allow', access, { principal, nowMs: 0, work }), s.slice(0, 50), 20000);
}
const g: any = (GitPattern as any).parse?.('refs/heads/*a*b*') ; 
console.log(typeof g, Object.getOwnPropertyNames(GitPattern));
