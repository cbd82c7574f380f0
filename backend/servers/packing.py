"""Stored JSON, compressed: a reading of 8 GPUs takes about 500 bytes instead of 6 kB."""

import zlib

_LEVEL = 9
_LARGEST_BYTES = 16 << 20
# What readings have in common, the most common last. Never change it: what is stored needs the same text.
_DICTIONARY = (
    b'"failure":"unreachable","failure_text":"not reachable"}"failure":"agent_down","failure_text":"agent not '
    b'answering (connection refused)"}"gpu_fault":"GPU driver not answering","gpu_fault_seconds":"hidden":["processes'
    b' of other people are hidden (hidepid)"],"instances":[{"uuid":"MIG-","fault":"not answering","fault_seconds":'
    b'"not_answering":{"disk /home":"graphics":true}"throttle_reasons":["heat"],"xids":{"command":"Xorg",'
    b'{"server":"gpu1","at":"2026-11-22T14:02:10.123000Z","host":{"cpu_percent":12.5,"cpu_count":64,"load_1min":3.25,'
    b'"memory_total_mib":515827.5,"memory_available_mib":412345.6,"swap_used_mib":0.0,"swap_mib_per_second":0.0,'
    b'"disk_free_gib":1234.5,"disks":[{"path":"/","free_gib":812.3,"total_gib":1800.0,"free_inodes_percent":97.1,'
    b'"read_only":false},{"path":"/home","free_gib":8123.4,"total_gib":16000.0,"free_inodes_percent":99.0,'
    b'"read_only":false}],"pressure":{"cpu_some_percent":0.12,"memory_full_percent":0.0,"memory_full_10s_percent":0.0,'
    b'"io_full_percent":0.05},"stuck_processes":0,"booted_at":"2026-11-02T08:15:30Z","boot_id":"","top":[{"pid":1234567,'
    b'"user":"kim","command":"python train.py","cpu_percent":100.5,"memory_mib":10240.5},{"pid":2345678,"user":"lee",'
    b'"command":"python -m torch.distributed.run","cpu_percent":99.5,"memory_mib":20480.5}]},"gpus":['
    b'{"uuid":"GPU-","memory_used_mib":20480.0,"memory_total_mib":81559.0,"processes":[{"pid":1234567,"user":"kim",'
    b'"command":"python train.py","memory_mib":20470.0}],"index":0,"name":"NVIDIA H100 80GB HBM3","utilization_percent":'
    b'98.0,"temperature_c":61.0,"power_w":512.3,"power_limit_w":700.0,"throttle_reasons":[],"ecc_uncorrected":0,'
    b'"rows_pending":false,"rows_failed":false,"age_seconds":0.3},{"uuid":"GPU-","memory_used_mib":600.0,'
    b'"memory_total_mib":81559.0,"processes":[],"index":1,"name":"NVIDIA A100-SXM4-80GB","utilization_percent":0.0,'
    b'"temperature_c":35.0,"power_w":68.5,"power_limit_w":400.0,"throttle_reasons":[],"ecc_uncorrected":0,'
    b'"rows_pending":false,"rows_failed":false,"age_seconds":0.2}]}'
)


def packed(text: str) -> bytes:
    """`text` as it is stored."""
    packer = zlib.compressobj(_LEVEL, zdict=_DICTIONARY)
    return packer.compress(text.encode()) + packer.flush()


def unpacked(content: bytes | str) -> bytes:
    """The text of what is stored; older releases stored the text itself.

    Raises:
        ValueError: it was not stored by `packed`, or is larger than anything that is.
    """
    if isinstance(content, str):
        return content.encode()
    unpacker = zlib.decompressobj(zdict=_DICTIONARY)
    try:
        text = unpacker.decompress(content, _LARGEST_BYTES)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise ValueError("it is not whole, or too large")
    return text
