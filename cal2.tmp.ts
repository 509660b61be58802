import { canonicalTarget } from './src/http/request-target.ts';
const n = 60000;
for (const [name, s] of Object.entries({ plain: '/' + 'a'.repeat(n), segments: '/' + 'a/'.repeat(n / 2), upper: '/' + '%40'.repeat(n / 3), lower: '/' + '%c3%a9'.repeat(n / 6), unres: '/' + '%41'.repeat(n / 3), semi: '/' + 'a;'.repeat(n / 2), short: '/' + '/'.repeat(n), twice: '/' + '%2540'.repeat(n/5) })) {
  const f = () => { try { return canonicalTarget(s); } catch (e) { return e; } };
  for (let i = 0; i < 50; i++) f();
  const t = process.threadCpuUsage(); for (let i = 0; i < 100; i++) f();
  const { user, system } = process.threadCpuUsage(t);
  const r: any = f();
  console.log(name.padEnd(10), ((user + system) * 10 / s.length).toFixed(2), 'ns/octet', r instanceof Error ? r.message.slice(0, 50) : '');
}
