"""Runs single instructions in Unicorn: a JSON array of states on stdin, what became of each on stdout.

Debian: apt-get install python3-unicorn. Started by generate.ts, which says what the states mean.
"""

import json
import sys

from unicorn import UC_ARCH_ARM64, UC_ERR_FETCH_UNMAPPED, UC_MODE_ARM, Uc, UcError
from unicorn import arm64_const as arm

request = json.load(sys.stdin)
ram = bytes.fromhex(request["ram"])
code, data, window = request["code"], request["data"], request["window"]

machine = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
machine.ctl_set_cpu_model(arm.UC_CPU_ARM64_MAX)
for start in request["starts"]:
    machine.mem_map(start, len(ram))
    machine.mem_write(start, ram)
cpacr = machine.reg_read(arm.UC_ARM64_REG_CPACR_EL1)
machine.reg_write(arm.UC_ARM64_REG_CPACR_EL1, cpacr | 3 << 20)

X = [getattr(arm, f"UC_ARM64_REG_X{n}") for n in range(31)]
V = [getattr(arm, f"UC_ARM64_REG_V{n}") for n in range(32)]
before = ram[data - window : data + window]
answers = []
for case in request["cases"]:
    for register, value in zip(X, case["x"]):
        machine.reg_write(register, int(value, 16))
    for register, value in zip(V, case["v"]):
        machine.reg_write(register, int(value, 16))
    machine.reg_write(arm.UC_ARM64_REG_SP, int(case["sp"], 16))
    machine.reg_write(arm.UC_ARM64_REG_NZCV, case["nzcv"] << 28)
    machine.reg_write(arm.UC_ARM64_REG_FPCR, case["fpcr"])
    machine.reg_write(arm.UC_ARM64_REG_FPSR, 0)
    machine.mem_write(code, case["word"].to_bytes(4, "little"))
    machine.ctl_remove_cache(code, code + 4)
    try:
        machine.emu_start(code, code + 4, count=1)
    except UcError as error:
        # A branch to nowhere has been taken all the same.
        if error.errno != UC_ERR_FETCH_UNMAPPED:
            answers.append({"error": str(error)})
            continue
    after = bytes(machine.mem_read(data - window, 2 * window))
    changed = {}
    if after != before:
        changed = {n: after[n] for n in range(2 * window) if after[n] != before[n]}
        machine.mem_write(data - window, before)
    answers.append(
        {
            "pc": f"{machine.reg_read(arm.UC_ARM64_REG_PC):x}",
            "x": [f"{machine.reg_read(register):x}" for register in X],
            "sp": f"{machine.reg_read(arm.UC_ARM64_REG_SP):x}",
            "nzcv": machine.reg_read(arm.UC_ARM64_REG_NZCV) >> 28,
            "v": [f"{machine.reg_read(register):x}" for register in V],
            "fpsr": machine.reg_read(arm.UC_ARM64_REG_FPSR),
            "memory": changed,
        }
    )
json.dump(answers, sys.stdout)
