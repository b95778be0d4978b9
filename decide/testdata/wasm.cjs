// Decides the calls on stdin, one to a line, by a compiled module: node wasm.cjs MODULES policy.wasm data.json
const { createRequire } = require('module');
const { readFileSync } = require('fs');
const { createInterface } = require('readline');

const [modules, wasm, data] = process.argv.slice(2);
const { loadPolicy } = createRequire(modules + '/')('@open-policy-agent/opa-wasm');

// Modules leave two functions to their host: time.clock and time.weekday, where a policy asks for the hour or the weekday.
const part = ([ns, zone], options) => new Intl.DateTimeFormat('en-US', { timeZone: zone, ...options }).format(new Date(Math.floor(ns / 1e6)));
const hours = (at) => part(at, { hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const host = {
  'time.clock': (at) => hours(at).split(':').map(Number),
  'time.weekday': (at) => part(at, { weekday: 'long' }),
};

(async () => {
  const policy = await loadPolicy(readFileSync(wasm), { initial: 64 }, host);
  policy.setData(JSON.parse(readFileSync(data)));
  for await (const line of createInterface({ input: process.stdin })) {
    const results = policy.evaluate(Uint8Array.from(Buffer.from(line)).buffer); // the text as it is, with its numbers
    process.stdout.write(JSON.stringify(results[0].result) + '\n');
  }
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
